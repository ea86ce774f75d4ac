// Large transfers: from socket to socket through a pipe, without a copy.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "relay.h"

namespace tandem {
namespace {

/// Below that a copy costs less than the second system call and the pipe.
constexpr size_t kWorthwhile = 16 * 1024;

/// Nothing that happened to the connection: the system does not splice, or not now.
bool IsSystems(int error) {
  return error == EINVAL || error == ENOSYS || error == EPERM || error == EOPNOTSUPP || error == ENOMEM;
}

}  // namespace

/// Moves what `from` has, as one read would. kNothing: read(2) is to look for itself, for this stops at the end, where there is
/// nothing now and at urgent data alike, and cannot tell them apart.
Relay::Spliced Relay::Splice(Connection* connection, Side from) {
  End& source = connection->ends[from];
  const Side to = Other(from);
  if (ReadLimit() < kBufferSize) return Spliced::kNothing;
  std::unique_ptr<Pipe> pipe = pipes_.Take();
  if (pipe == nullptr) return Spliced::kNothing;
  ssize_t got;
  do {
    got = ::splice(source.fd, nullptr, pipe->in.get(), nullptr, PipePool::kSize, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    const int error = got < 0 ? errno : EAGAIN;
    pipes_.Return(std::move(pipe));
    if (error == EAGAIN) return Spliced::kNothing;
    if (IsSystems(error)) {
      if (error != ENOMEM) pipes_.GiveUp();
      return Spliced::kNothing;
    }
    Fail(connection, from, error);
    return Spliced::kGone;
  }
  pipe->held = static_cast<size_t>(got);
  source.bulk = pipe->held >= kWorthwhile;
  spliced_ += static_cast<double>(got);
  Count(connection, from, pipe->held);
  connection->ends[to].pipe = std::move(pipe);
  return WritePipe(connection, to) ? Spliced::kMoved : Spliced::kGone;
}

/// False when the connection is gone. A socket does not raise SIGPIPE here only as long as the process ignores it, which Node
/// does.
bool Relay::WritePipe(Connection* connection, Side to) {
  End& end = connection->ends[to];
  Pipe& pipe = *end.pipe;
  while (pipe.held > 0) {
    ssize_t sent =
        ::splice(pipe.out.get(), nullptr, end.fd, nullptr, pipe.held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (sent > 0) {
      pipe.held -= std::min(pipe.held, static_cast<size_t>(sent));
      connection->activity = now_;
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return true;
    Fail(connection, to, sent < 0 ? errno : EIO);
    return false;
  }
  pipes_.Return(std::move(end.pipe));
  return true;
}

}  // namespace tandem
