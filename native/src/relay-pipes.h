// Pipes that bytes pass through from one socket to another without being copied (splice(2)).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "unique-fd.h"

namespace tandem {

struct Pipe {
  UniqueFd out;
  UniqueFd in;
  /// Bytes in it: what a socket has not taken yet.
  size_t held = 0;
};

/// The empty pipes of a relay, one of which is enough as long as every socket takes what it is given. A pipe that could not
/// be emptied goes with its connection until it is.
class PipePool {
 public:
  /// An empty pipe, or null: there are as many as there may be, the system has none, or splicing has been given up.
  std::unique_ptr<Pipe> Take();
  /// Keeps an empty one for later; one that still has something in it is closed, and that is lost.
  void Return(std::unique_ptr<Pipe> pipe);
  /// For good: the system does not splice.
  void GiveUp();
  /// Idempotent. Those that are out stay good.
  void Clear() { free_.clear(); }
  /// What one pipe takes at most, in bytes.
  static constexpr size_t kSize = 512 * 1024;

 private:
  /// Each is two descriptors and at most kSize of kernel memory.
  static constexpr size_t kMost = 32;
  static constexpr size_t kMostFree = 8;

  std::vector<std::unique_ptr<Pipe>> free_;
  size_t out_ = 0;
  bool givenUp_ = false;
};

}  // namespace tandem
