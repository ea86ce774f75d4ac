#include "relay-pipes.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace tandem {
namespace {

/// A pipe has a slot for a page or a part of one, and the segments of most network cards take one each.
constexpr int kLeast = 64 * 1024;

/// Null when there is no pipe that is worth it: beyond pipe-user-pages-soft (pipe(7)) they come small.
std::unique_ptr<Pipe> Make() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
  auto pipe = std::make_unique<Pipe>();
  pipe->out = UniqueFd(ends[0]);
  pipe->in = UniqueFd(ends[1]);
  // if it cannot be had the size that it has may do
  (void)::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(PipePool::kSize));
  return ::fcntl(ends[1], F_GETPIPE_SZ) >= kLeast ? std::move(pipe) : nullptr;
}

}  // namespace

std::unique_ptr<Pipe> PipePool::Take() {
  if (givenUp_ || out_ == kMost) return nullptr;
  std::unique_ptr<Pipe> pipe;
  if (free_.empty()) {
    pipe = Make();
  } else {
    pipe = std::move(free_.back());
    free_.pop_back();
  }
  if (pipe != nullptr) ++out_;
  return pipe;
}

void PipePool::Return(std::unique_ptr<Pipe> pipe) {
  --out_;
  if (pipe->held == 0 && free_.size() < kMostFree && !givenUp_) free_.push_back(std::move(pipe));
}

void PipePool::GiveUp() {
  givenUp_ = true;
  free_.clear();
}

}  // namespace tandem
