#include "udp-batch.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem {
namespace {

/// A control message behind what is there already.
void Append(msghdr& header, int level, int type, const void* data, size_t size) {
  auto* message = reinterpret_cast<cmsghdr*>(static_cast<uint8_t*>(header.msg_control) + header.msg_controllen);
  std::memset(message, 0, CMSG_SPACE(size));
  message->cmsg_level = level;
  message->cmsg_type = type;
  message->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(message), data, size);
  header.msg_controllen += CMSG_SPACE(size);
}

}  // namespace

// not make_unique, which would touch all of it
DatagramBatch::DatagramBatch() : memory_(new uint8_t[kSlots * kStride]) {
  std::memset(vectors_, 0, sizeof vectors_);
  std::memset(headers_, 0, sizeof headers_);
  std::memset(peers_, 0, sizeof peers_);
}

int DatagramBatch::Receive(int fd, int first, int count, bool control) {
  for (int i = first; i < first + count; ++i) {
    vectors_[i] = {At(i), kSlotSize};
    msghdr& header = headers_[i].msg_hdr;
    header = msghdr{};
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_name = &peers_[i];
    header.msg_namelen = sizeof peers_[i];
    segments_[i] = 0;
    if (!control) continue;
    header.msg_control = control_[i];
    header.msg_controllen = kControlSize;
  }
  int got;
  do {
    got = ::recvmmsg(fd, &headers_[first], static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return -errno;
  for (int i = first; i < first + got; ++i) {
    vectors_[i].iov_len = headers_[i].msg_len;
    if (control) segments_[i] = Segment(i);
  }
  return got;
}

/// The size of a train's datagrams; 0 for what is not cut.
size_t DatagramBatch::Segment(int slot) const {
  const msghdr& header = headers_[slot].msg_hdr;
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr;
       each = CMSG_NXTHDR(const_cast<msghdr*>(&header), each)) {
    int segment = 0;
    if (each->cmsg_level != SOL_UDP || each->cmsg_type != UDP_GRO || each->cmsg_len < CMSG_LEN(sizeof segment)) continue;
    std::memcpy(&segment, CMSG_DATA(each), sizeof segment);
    return segment > 0 && static_cast<size_t>(segment) < size(slot) ? static_cast<size_t>(segment) : 0;
  }
  return 0;
}

bool DatagramBatch::Local(int slot, uint8_t* into) const {
  const msghdr& header = headers_[slot].msg_hdr;
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr;
       each = CMSG_NXTHDR(const_cast<msghdr*>(&header), each)) {
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO &&
        each->cmsg_len >= CMSG_LEN(sizeof(in_pktinfo))) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(each), sizeof info);
      // of a datagram to a group or a broadcast address: one of ours that can answer it
      std::memcpy(into, &info.ipi_spec_dst, 4);
      return info.ipi_spec_dst.s_addr != 0;
    }
    if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO &&
        each->cmsg_len >= CMSG_LEN(sizeof(in6_pktinfo))) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(each), sizeof info);
      std::memcpy(into, &info.ipi6_addr, 16);
      return !IN6_IS_ADDR_MULTICAST(&info.ipi6_addr);
    }
  }
  return false;
}

int DatagramBatch::Alike(int from, int to) const {
  const size_t size = vectors_[from].iov_len;
  size_t total = size;
  int count = 1;
  // a train is a message already
  if (segments_[from] > 0) return count;
  while (from + count < to && count < kMaxSegments) {
    size_t next = vectors_[from + count].iov_len;
    total += next;
    // an empty datagram cannot be cut from anything
    if (segments_[from + count] > 0 || size == 0 || next == 0 || next > size || total > kMaxSegmentedSize) break;
    ++count;
    // a shorter one ends the message
    if (next < size) break;
  }
  return count;
}

void Outbox::Add(DatagramBatch& batch, int slot, int slots, const Envelope& envelope) {
  msghdr& header = messages_[count_].msg_hdr;
  header = msghdr{};
  header.msg_iov = batch.vector(slot);
  header.msg_iovlen = static_cast<size_t>(slots);
  header.msg_name = const_cast<sockaddr*>(envelope.peer);
  header.msg_namelen = envelope.peerSize;
  slots_[count_] = slot;
  datagrams_[count_] = slots > 1 ? slots : batch.datagrams(slot);
  segments_[count_] = slots > 1 ? batch.size(slot) : batch.segment(slot);
  if (envelope.local != nullptr || datagrams_[count_] > 1) header.msg_control = control_[count_];
  SetLocal(count_, envelope);
  if (datagrams_[count_] > 1) SetSegment(count_);
  ++count_;
}

void Outbox::SetLocal(int message, const Envelope& envelope) {
  msghdr& header = messages_[message].msg_hdr;
  if (envelope.local != nullptr && envelope.peer->sa_family == AF_INET6) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, envelope.local, 16);
    Append(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
  } else if (envelope.local != nullptr) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, envelope.local, 4);
    Append(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
  }
  localSizes_[message] = header.msg_controllen;
}

void Outbox::SetSegment(int message) {
  auto segment = static_cast<uint16_t>(segments_[message]);
  Append(messages_[message].msg_hdr, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
}

/// How many were sent, at least one, or a negative errno of the first.
int Outbox::Try(int fd, int from) {
  int sent;
  do {
    sent = ::sendmmsg(fd, &messages_[from], static_cast<unsigned>(count_ - from), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

bool Outbox::Uncut(int message, int error) const {
  if (datagrams(message) < 2) return false;
  return error == EINVAL || error == EIO || error == EMSGSIZE || error == EOPNOTSUPP || error == ENOPROTOOPT;
}

int Outbox::SendApart(int fd, int message) {
  msghdr header = messages_[message].msg_hdr;
  const iovec* vectors = header.msg_iov;
  const iovec* end = vectors + header.msg_iovlen;
  header.msg_iovlen = 1;
  header.msg_controllen = localSizes_[message];
  if (header.msg_controllen == 0) header.msg_control = nullptr;
  int lost = 0;
  for (; vectors < end; ++vectors) {
    auto* bytes = static_cast<uint8_t*>(vectors->iov_base);
    for (size_t at = 0; at < vectors->iov_len; at += segments_[message]) {
      iovec one = {bytes + at, std::min(segments_[message], vectors->iov_len - at)};
      header.msg_iov = &one;
      ssize_t sent;
      do {
        sent = ::sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
      } while (sent < 0 && errno == EINTR);
      if (sent < 0) ++lost;
    }
  }
  return lost;
}

}  // namespace tandem
