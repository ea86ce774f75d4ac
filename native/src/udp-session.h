// The sessions of the UDP relay, and how a datagram finds its own.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "record-table.h"
#include "relay-route.h"
#include "unique-fd.h"

namespace tandem {

/// What makes a client: its address and port, and where it writes to. Compared byte by byte, so that none is left unset.
struct SessionKey {
  uint8_t client[16] = {};
  uint8_t local[16] = {};
  uint32_t listener = 0;
  /// The link of a link-local address.
  uint32_t scope = 0;
  uint32_t port = 0;
  uint32_t family = 0;

  bool operator==(const SessionKey& other) const { return std::memcmp(this, &other, sizeof *this) == 0; }
};
static_assert(sizeof(SessionKey) == 48, "no padding");

struct UdpSession;

/// The sessions of one service. Those that have had a backend are in the order of their last use.
struct UdpGroup {
  /// Cells of the counters.
  uint32_t datagramsIn = 0;
  uint32_t datagramsOut = 0;
  uint32_t dropped = 0;
  /// Grows when all sessions are to ask before they go on.
  uint32_t epoch = 0;
  UdpSession* oldest = nullptr;
  UdpSession* newest = nullptr;
};

struct UdpSession {
  enum class State : uint8_t {
    kFree,
    /// Its first datagram waits for somebody to decide.
    kNew,
    kOpen,
  };

  uint32_t index = 0;
  /// Grows with every use of the record; a handle with another one is stale.
  uint32_t generation = 0;
  State state = State::kFree;
  /// Its next datagram waits for a decision.
  bool ask = false;
  /// One of the batch that is being looked at does.
  bool waiting = false;
  bool answered = false;
  /// Replies have to leave from `key.local`, which is not the socket's own address.
  bool fromLocal = false;
  /// In its group's order of use.
  bool listed = false;
  /// Several datagrams in one message were refused on the way to the backend, and to the client.
  bool apartIn = false;
  bool apartOut = false;
  /// Its socket has UDP_GRO.
  bool trains = false;
  /// The group's when it was last found good.
  uint32_t epoch = 0;
  UdpGroup* group = nullptr;
  /// The socket to the backend, or -1.
  int fd = -1;
  SessionKey key;
  sockaddr_in6 peer{};
  socklen_t peerSize = 0;
  ByteCells cells;
  /// What the relay's clock said when a datagram last passed.
  double activity = 0;
  UdpSession* chain = nullptr;
  UdpSession* older = nullptr;
  UdpSession* newer = nullptr;

  bool live() const { return state != State::kFree; }
};

using UdpSessionTable = RecordTable<UdpSession>;

/// Sessions by key: a hash table with chains. Its hash is keyed, so that nobody can choose addresses that share a chain.
class SessionIndex {
 public:
  SessionIndex();
  UdpSession* Find(const SessionKey& key) const;
  /// There must be none of this key.
  void Insert(UdpSession* session);
  void Erase(UdpSession* session);
  void Clear();

 private:
  size_t Bucket(const SessionKey& key) const;
  void Grow();

  uint64_t seeds_[6];
  std::vector<UdpSession*> buckets_;
  size_t size_ = 0;
};

/// Puts a session behind all others of its group.
void ListNewest(UdpSession* session);
void Unlist(UdpSession* session);

}  // namespace tandem
