// The relay's listening sockets.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "relay.h"

namespace tandem {
namespace {

/// Clients of one listener in one turn.
constexpr int kAcceptsInARow = 32;

/// accept(2): errors of the connection that was to be accepted, not of the listener. The next one may be fine.
bool IsClientsError(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

int64_t Relay::AddListener(int fd, bool wantLocal) {
  if (!open()) return -EBADF;
  int listening = 0;
  socklen_t size = sizeof listening;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) return -errno;
  if (listening == 0) return -EINVAL;
  int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
  uint32_t id = nextListener_;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kListenerBit | id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return -errno;
  // for TurnAwayWithReserve; without one it is tried again there
  if (reserve_.get() < 0) reserve_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  nextListener_ = (nextListener_ + 1) & INT32_MAX;
  Listener listener;
  listener.fd = UniqueFd(fd);
  listener.wantLocal = wantLocal;
  listeners_[id] = std::move(listener);
  return id;
}

bool Relay::SetAccepting(uint32_t id, bool accepting) {
  auto found = listeners_.find(id);
  if (found == listeners_.end()) return false;
  Listener& listener = found->second;
  if (listener.accepting == accepting) return true;
  listener.accepting = accepting;
  if (listener.suspended) return true;
  if (accepting) {
    WatchListener(id, listener);
  } else {
    UnwatchListener(listener);
  }
  return true;
}

bool Relay::RemoveListener(uint32_t id) {
  auto found = listeners_.find(id);
  if (found == listeners_.end()) return false;
  // the supervisor keeps the socket open, so that closing our descriptor does not take it out of epoll
  UnwatchListener(found->second);
  listeners_.erase(found);
  return true;
}

void Relay::WatchListener(uint32_t id, Listener& listener) {
  if (Watch(listener.fd.get(), EPOLLIN, kListenerBit | id)) return;
  // no memory for it: the next tick tries again
  listener.suspended = true;
}

void Relay::UnwatchListener(Listener& listener) {
  // it can only fail for a descriptor that is not watched, which is what is wanted
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener.fd.get(), nullptr);
}

void Relay::OnListener(uint32_t id) {
  for (int i = 0; i < kAcceptsInARow; ++i) {
    // Each client is told of before the next one is accepted, so that a limit is not passed and the last descriptors
    // are not spent on clients that then have no backend. The listener may be paused or gone after that.
    if (HasEvents()) sink_->Deliver();
    auto found = listeners_.find(id);
    if (found == listeners_.end() || !found->second.accepting || found->second.suspended) return;
    Listener& listener = found->second;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    int fd = ::accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Accepted(id, listener, fd, peer);
    } else if (errno == EAGAIN) {
      return;
    } else if (!IsClientsError(errno)) {
      AcceptFailed(id, errno);
      return;
    }
  }
}

void Relay::Accepted(uint32_t id, const Listener& listener, int fd, const sockaddr_storage& peer) {
  RelayEvent event{};
  event.family = ReadAddress(peer, event.peer, &event.extra);
  if (event.family != 0 && listener.wantLocal) {
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    int32_t port = 0;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0) {
      event.family = 0;
    } else if (ReadAddress(local, event.local, &port) != event.family) {
      event.family = 0;
    }
  }
  // of no family that a TCP listener of ours has, or no room: nobody can be told of it
  Connection* connection = event.family == 0 ? nullptr : table_.Take();
  if (connection == nullptr) {
    ::close(fd);
    return;
  }
  connection->state = State::kHeld;
  connection->ends[kClient].fd = fd;
  event.type = EventType::kAccepted;
  event.index = connection->index;
  event.generation = connection->generation;
  event.value = static_cast<int32_t>(id);
  events_.Push(event);
}

/// A listener that cannot accept stays readable and would spin: it rests until the next tick.
void Relay::AcceptFailed(uint32_t id, int error) {
  Listener& listener = listeners_.at(id);
  bool noDescriptor = error == EMFILE || error == ENFILE;
  if (noDescriptor && TurnAwayWithReserve(listener.fd.get())) return;
  listener.suspended = true;
  UnwatchListener(listener);
  if (noDescriptor) return;
  RelayEvent& event = Push(EventType::kAcceptFailed, nullptr, error);
  event.index = id;
}

/// Out of descriptors: gives up a spare one to tell those who wait that they will not be served, as libuv does.
bool Relay::TurnAwayWithReserve(int listener) {
  if (reserve_.get() < 0) return false;
  reserve_.reset();
  int fd;
  do {
    fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
  } while (fd >= 0 || errno == EINTR || IsClientsError(errno));
  bool drained = errno == EAGAIN;
  reserve_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return drained;
}

}  // namespace tandem
