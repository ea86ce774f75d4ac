// Datagrams by the batch: received with one recvmmsg(2), sent with one sendmmsg(2), and those of one size and destination
// as one message that the kernel, or the network card, cuts up (UDP_SEGMENT, udp(7)) or has put together (UDP_GRO).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tandem {

/// Slots for what is received, used again and again: a datagram each, or, from a socket with UDP_GRO, a train of several of
/// one size, of which the last may be shorter. Neither can be longer than a slot.
class DatagramBatch {
 public:
  static constexpr int kSlots = 64;
  /// What one message may carry, as the kernel counts.
  static constexpr int kMaxSegments = 64;
  static constexpr size_t kMaxSegmentedSize = 65'000;

  DatagramBatch();

  /// Fills up to `count` slots from `first` on: how many, or a negative errno.
  /// @param control the socket has IP_PKTINFO, IPV6_RECVPKTINFO or UDP_GRO
  int Receive(int fd, int first, int count, bool control);

  size_t size(int slot) const { return vectors_[slot].iov_len; }
  /// Of a train, the size of its datagrams; 0 for a single one.
  size_t segment(int slot) const { return segments_[slot]; }
  int datagrams(int slot) const {
    size_t segment = segments_[slot];
    return segment == 0 ? 1 : static_cast<int>((size(slot) + segment - 1) / segment);
  }
  /// A datagram that did not fit, or of which it is not known where it was sent to.
  bool damaged(int slot) const { return (headers_[slot].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0; }
  const sockaddr_storage& peer(int slot) const { return peers_[slot]; }
  /// The address of this host that it was sent to: 4 or 16 bytes. False when it cannot be told.
  bool Local(int slot, uint8_t* into) const;
  iovec* vector(int slot) { return &vectors_[slot]; }

  /// How many of the slots from `from` to `to` can be one message: as long as the first one, but for the last.
  int Alike(int from, int to) const;

 private:
  static constexpr size_t kSlotSize = 64 * 1024;
  /// Apart by more than a power of two, or all slots would compete for the same lines of the cache.
  static constexpr size_t kStride = kSlotSize + 33 * 64;
  static constexpr size_t kControlSize = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int));

  size_t Segment(int slot) const;
  uint8_t* At(int slot) const { return memory_.get() + static_cast<size_t>(slot) * kStride; }

  std::unique_ptr<uint8_t[]> memory_;
  iovec vectors_[kSlots];
  mmsghdr headers_[kSlots];
  sockaddr_storage peers_[kSlots];
  size_t segments_[kSlots] = {};
  alignas(cmsghdr) uint8_t control_[kSlots][kControlSize];
};

/// Where a message goes, and the address of this host that it is to come from. Nulls: the socket's own.
struct Envelope {
  const sockaddr* peer = nullptr;
  socklen_t peerSize = 0;
  const uint8_t* local = nullptr;
};

/// Messages made of the slots of a batch, which must stay as they are until `Send` returns.
class Outbox {
 public:
  bool empty() const { return count_ == 0; }
  void Clear() { count_ = 0; }
  void Add(DatagramBatch& batch, int slot, int slots, const Envelope& envelope);
  int slot(int message) const { return slots_[message]; }
  /// Datagrams in a message.
  int datagrams(int message) const { return datagrams_[message]; }

  /// Sends all.
  /// @param failed called with the message and an errno; true sends the message again, false goes on to the next one
  template <typename Failed>
  void Send(int fd, Failed failed) {
    int done = 0;
    while (done < count_) {
      int sent = Try(fd, done);
      if (sent > 0) {
        done += sent;
      } else if (!failed(done, -sent)) {
        ++done;
      }
    }
  }

  /// True when `error` of a message with several datagrams may be for want of a kernel, a route or a card that can cut it.
  bool Uncut(int message, int error) const;
  /// Sends a message's datagrams one by one: how many could not be.
  int SendApart(int fd, int message);

 private:
  static constexpr size_t kLocalSize = CMSG_SPACE(sizeof(in6_pktinfo));
  static constexpr size_t kControlSize = kLocalSize + CMSG_SPACE(sizeof(uint16_t));

  int Try(int fd, int from);
  void SetLocal(int message, const Envelope& envelope);
  void SetSegment(int message);

  int count_ = 0;
  mmsghdr messages_[DatagramBatch::kSlots];
  int slots_[DatagramBatch::kSlots];
  int datagrams_[DatagramBatch::kSlots];
  /// Of a message with several datagrams, their size.
  size_t segments_[DatagramBatch::kSlots];
  /// Of the control data, that which says where the message comes from.
  size_t localSizes_[DatagramBatch::kSlots];
  alignas(cmsghdr) uint8_t control_[DatagramBatch::kSlots][kControlSize];
};

}  // namespace tandem
