// Looking at what a client sends first.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "relay.h"

namespace tandem {

bool Relay::Peek(Connection* connection) {
  if (connection->state != State::kHeld) return false;
  // each arrival is an edge, read or not; what is there already is the first
  if (!Watch(connection->ends[kClient].fd, EPOLLIN | EPOLLRDHUP | EPOLLET, EpollData(connection, kClient))) {
    return false;
  }
  connection->state = State::kPeeking;
  return true;
}

void Relay::OnPeeking(Connection* connection, uint32_t events) {
  PeekState state = PeekState::kOpen;
  // our half is open, so that a hangup can only be a reset
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    state = PeekState::kReset;
  } else if ((events & EPOLLRDHUP) != 0) {
    state = PeekState::kEnded;
  }
  Push(EventType::kPeekable, connection, static_cast<int32_t>(state));
}

ssize_t Relay::Look(Connection* connection, uint8_t* into, size_t size) {
  if (connection->state != State::kPeeking) return -EINVAL;
  ssize_t got;
  do {
    got = ::recv(connection->ends[kClient].fd, into, size, MSG_PEEK);
  } while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

bool Relay::Take(Connection* connection, size_t size) {
  if (connection->state != State::kPeeking) return false;
  int fd = connection->ends[kClient].fd;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  connection->state = State::kHeld;
  while (size > 0) {
    ssize_t got = ::recv(fd, buffer_.get(), std::min(size, kBufferSize), 0);
    if (got < 0 && errno == EINTR) continue;
    // a reset came since they were seen: whoever reads next is told
    if (got <= 0) break;
    size -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace tandem
