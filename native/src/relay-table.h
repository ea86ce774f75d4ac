// The connections of one relay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "record-table.h"
#include "relay-pipes.h"
#include "relay-route.h"

namespace tandem {

enum Side : uint8_t { kClient = 0, kBackend = 1 };

inline Side Other(Side side) { return side == kClient ? kBackend : kClient; }

/// Bytes that a socket did not take when they were to be written. Freed with std::free.
struct Pending {
  uint32_t begin;
  uint32_t end;
  uint8_t data[];
};

/// One socket of a connection.
struct End {
  int fd = -1;
  /// It has sent FIN and all before that was read.
  bool eof = false;
  /// epoll told of a FIN, an error, a reset or urgent data: a short read does not say that there is no more. read(2) stops before
  /// an urgent byte.
  bool readOn = false;
  /// This direction waits in the ready list for its next share of a turn.
  bool ready = false;
  /// Its last reads were large: they are spliced.
  bool bulk = false;
  /// To be written to it before anything else is read from the other one; the pipe's content comes behind that.
  Pending* pending = nullptr;
  std::unique_ptr<Pipe> pipe;

  bool owed() const { return pending != nullptr || pipe != nullptr; }
};

enum class State : uint8_t {
  kFree,
  /// A client without a backend. It is not watched: nothing is read from it, not even a reset.
  kHeld,
  /// As kHeld, but it is told of when the client has sent something: that can be looked at, and stays where it is.
  kPeeking,
  kConnecting,
  kOpen,
};

struct Connection {
  uint32_t index = 0;
  /// Grows with every use of the record; a handle with another one is stale.
  uint32_t generation = 0;
  State state = State::kFree;
  /// The backend has sent something.
  bool answered = false;
  End ends[2];
  ByteCells cells;
  /// What the relay's clock said when a byte last moved.
  double activity = 0;

  bool live() const { return state != State::kFree; }
};

using ConnectionTable = RecordTable<Connection>;

}  // namespace tandem
