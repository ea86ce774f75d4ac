// Connecting a client to a backend.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "relay.h"

namespace tandem {

bool Relay::Connect(Connection* connection, const Route& route, const uint8_t* head, size_t headSize,
                    const Source* source) {
  if (connection->state != State::kHeld) return false;
  connection->state = State::kConnecting;
  connection->cells = route.cells;
  End& backend = connection->ends[kBackend];
  backend = End{};
  backend.fd = ::socket(route.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (backend.fd < 0) {
    ConnectFailed(connection, errno);
    return true;
  }
  if (source != nullptr) {
    int error = BindSource(backend.fd, *source);
    if (error != 0) {
      ConnectFailed(connection, error);
      return true;
    }
  }
  if (headSize > 0 && !Hold(backend, head, headSize)) {
    ConnectFailed(connection, ENOMEM);
    return true;
  }
  const int on = 1;
  // neither can fail on a new TCP socket, and a connection without them is better than none
  if (route.noDelay) (void)::setsockopt(backend.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (route.keepAlive) (void)::setsockopt(backend.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  int status;
  do {
    status = ::connect(backend.fd, reinterpret_cast<const sockaddr*>(&route.address), route.length);
  } while (status != 0 && errno == EINTR);
  if (status != 0 && errno != EINPROGRESS) {
    ConnectFailed(connection, errno);
  } else if (!Watch(backend.fd, kEvents, EpollData(connection, kBackend))) {
    ConnectFailed(connection, errno);
  }
  return true;
}

bool Relay::Abandon(Connection* connection) {
  if (connection->state != State::kConnecting) return false;
  ::close(connection->ends[kBackend].fd);
  DropPending(connection->ends[kBackend]);
  connection->ends[kBackend] = End{};
  connection->state = State::kHeld;
  return true;
}

void Relay::ConnectFailed(Connection* connection, int error) {
  End& backend = connection->ends[kBackend];
  if (backend.fd >= 0) ::close(backend.fd);
  DropPending(backend);
  backend = End{};
  connection->state = State::kHeld;
  Push(EventType::kConnectFailed, connection, error);
}

void Relay::OnConnecting(Connection* connection, uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    int error = SocketError(connection->ends[kBackend].fd);
    // a hangup without an error: accepted and closed at once, which reading will show
    if (error != 0) {
      ConnectFailed(connection, error);
      return;
    }
  }
  if ((events & EPOLLOUT) == 0) return;
  connection->ends[kBackend].readOn = (events & kReadOn) != 0;
  Established(connection);
  // what the backend said first came with the same edge
  if (connection->state == State::kOpen && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) {
    Pump(connection, kBackend);
  }
}

void Relay::Established(Connection* connection) {
  uint32_t generation = connection->generation;
  connection->state = State::kOpen;
  connection->activity = now_;
  Push(EventType::kConnected, connection, 0);
  // what stands before the client's bytes; without it there is nothing pending yet
  if (connection->ends[kBackend].pending != nullptr && !WritePending(connection, kBackend)) return;
  Pump(connection, kClient);
  // the client most likely spoke first; what comes between the read and this shows when it is added
  if (connection->generation != generation) return;
  int client = connection->ends[kClient].fd;
  if (!Watch(client, kEvents, EpollData(connection, kClient))) {
    Fail(connection, kClient, errno);
  }
}

}  // namespace tandem
