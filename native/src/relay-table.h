// The connections of one relay: records that never move, found by handles that never lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

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
  /// epoll told of a FIN, an error or a reset: read on until that shows, even after a short read.
  bool hangup = false;
  /// This direction waits in the ready list for its next share of a turn.
  bool ready = false;
  /// To be written to it before anything else is read from the other one.
  Pending* pending = nullptr;
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

/// Cells of the counters that a connection's bytes are added to.
struct ByteCells {
  uint32_t serviceIn = 0;
  uint32_t backendIn = 0;
  uint32_t serviceOut = 0;
  uint32_t backendOut = 0;
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
};

/// Connections in chunks: a pointer stays good for the table's life, a record's memory is used again.
class ConnectionTable {
 public:
  static constexpr uint32_t kIndexBits = 22;
  static constexpr uint32_t kMaxConnections = 1u << kIndexBits;
  static constexpr uint32_t kGenerationMask = (1u << 30) - 1;

  /// A free record, or null when there are as many as there can be.
  Connection* Take() {
    if (free_.empty() && !Grow()) return nullptr;
    Connection* connection = free_.back();
    free_.pop_back();
    ++used_;
    return connection;
  }

  /// Every handle of this record is stale from here on.
  void Release(Connection* connection) {
    uint32_t index = connection->index;
    uint32_t generation = (connection->generation + 1) & kGenerationMask;
    *connection = Connection{};
    connection->index = index;
    connection->generation = generation;
    free_.push_back(connection);
    --used_;
  }

  /// Null for a handle that is stale or never was one.
  Connection* Find(uint32_t index, uint32_t generation) {
    if (index >= size_) return nullptr;
    Connection* connection = &chunks_[index / kChunk][index % kChunk];
    bool live = connection->state != State::kFree && connection->generation == generation;
    return live ? connection : nullptr;
  }

  template <typename Visit>
  void ForEach(Visit visit) {
    for (uint32_t index = 0; index < size_; ++index) {
      Connection* connection = &chunks_[index / kChunk][index % kChunk];
      if (connection->state != State::kFree) visit(connection);
    }
  }

  size_t used() const { return used_; }

 private:
  static constexpr uint32_t kChunk = 1024;

  bool Grow() {
    if (size_ >= kMaxConnections) return false;
    chunks_.push_back(std::make_unique<Connection[]>(kChunk));
    Connection* chunk = chunks_.back().get();
    free_.reserve(size_ + kChunk);
    // the lowest index is taken first
    for (uint32_t i = kChunk; i-- > 0;) {
      chunk[i].index = size_ + i;
      free_.push_back(&chunk[i]);
    }
    size_ += kChunk;
    return true;
  }

  std::vector<std::unique_ptr<Connection[]>> chunks_;
  std::vector<Connection*> free_;
  uint32_t size_ = 0;
  size_t used_ = 0;
};

}  // namespace tandem
