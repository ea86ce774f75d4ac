#include "udp-session.h"

#include <sys/random.h>

#include <ctime>

namespace tandem {
namespace {

constexpr size_t kFirstBuckets = 1024;

/// The two halves of a product of 128 bits, mixed: wyhash's step.
uint64_t Mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

SessionIndex::SessionIndex() : buckets_(kFirstBuckets, nullptr) {
  // it can only fail while the machine boots without entropy
  if (::getrandom(seeds_, sizeof seeds_, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof seeds_)) return;
  uint64_t state = static_cast<uint64_t>(::time(nullptr)) ^ reinterpret_cast<uintptr_t>(this);
  for (uint64_t& seed : seeds_) seed = state = Mix(state + 0x9e3779b97f4a7c15ull, 0xd1342543de82ef95ull);
}

size_t SessionIndex::Bucket(const SessionKey& key) const {
  uint64_t words[6];
  static_assert(sizeof words == sizeof key, "all of it counts");
  std::memcpy(words, &key, sizeof words);
  uint64_t hash = Mix(words[0] ^ seeds_[0], words[1] ^ seeds_[1]);
  hash ^= Mix(words[2] ^ seeds_[2], words[3] ^ seeds_[3]);
  hash ^= Mix(words[4] ^ seeds_[4], words[5] ^ seeds_[5]);
  return Mix(hash ^ seeds_[1], 0x9e3779b97f4a7c15ull) & (buckets_.size() - 1);
}

UdpSession* SessionIndex::Find(const SessionKey& key) const {
  UdpSession* session = buckets_[Bucket(key)];
  while (session != nullptr && !(session->key == key)) session = session->chain;
  return session;
}

void SessionIndex::Insert(UdpSession* session) {
  if (size_ >= buckets_.size()) Grow();
  UdpSession*& head = buckets_[Bucket(session->key)];
  session->chain = head;
  head = session;
  ++size_;
}

void SessionIndex::Erase(UdpSession* session) {
  UdpSession** link = &buckets_[Bucket(session->key)];
  while (*link != nullptr && *link != session) link = &(*link)->chain;
  if (*link == nullptr) return;
  *link = session->chain;
  session->chain = nullptr;
  --size_;
}

void SessionIndex::Clear() {
  buckets_.assign(kFirstBuckets, nullptr);
  size_ = 0;
}

void SessionIndex::Grow() {
  std::vector<UdpSession*> before(buckets_.size() * 2, nullptr);
  before.swap(buckets_);
  for (UdpSession* session : before) {
    while (session != nullptr) {
      UdpSession* next = session->chain;
      UdpSession*& head = buckets_[Bucket(session->key)];
      session->chain = head;
      head = session;
      session = next;
    }
  }
}

void ListNewest(UdpSession* session) {
  UdpGroup* group = session->group;
  if (group->newest == session) return;
  Unlist(session);
  session->listed = true;
  session->older = group->newest;
  session->newer = nullptr;
  if (group->newest == nullptr) {
    group->oldest = session;
  } else {
    group->newest->newer = session;
  }
  group->newest = session;
}

void Unlist(UdpSession* session) {
  if (!session->listed) return;
  UdpGroup* group = session->group;
  (session->older == nullptr ? group->oldest : session->older->newer) = session->newer;
  (session->newer == nullptr ? group->newest : session->newer->older) = session->older;
  session->older = session->newer = nullptr;
  session->listed = false;
}

}  // namespace tandem
