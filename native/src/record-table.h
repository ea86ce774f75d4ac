// Records that never move, found by handles that never lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tandem {

/// Records in chunks: a pointer stays good for the table's life, a record's memory is used again. A record has an
/// `index`, a `generation` and a `live()`, which is false for one that is free.
template <typename Record>
class RecordTable {
 public:
  static constexpr uint32_t kIndexBits = 22;
  static constexpr uint32_t kMaxRecords = 1u << kIndexBits;
  static constexpr uint32_t kGenerationMask = (1u << 30) - 1;

  /// A free record, or null when there are as many as there can be.
  Record* Take() {
    if (free_.empty() && !Grow()) return nullptr;
    Record* record = free_.back();
    free_.pop_back();
    ++used_;
    return record;
  }

  /// Every handle of this record is stale from here on.
  void Release(Record* record) {
    uint32_t index = record->index;
    uint32_t generation = (record->generation + 1) & kGenerationMask;
    *record = Record{};
    record->index = index;
    record->generation = generation;
    free_.push_back(record);
    --used_;
  }

  /// Null for a handle that is stale or never was one.
  Record* Find(uint32_t index, uint32_t generation) {
    if (index >= size_) return nullptr;
    Record* record = &chunks_[index / kChunk][index % kChunk];
    bool live = record->live() && record->generation == generation;
    return live ? record : nullptr;
  }

  template <typename Visit>
  void ForEach(Visit visit) {
    for (uint32_t index = 0; index < size_; ++index) {
      Record* record = &chunks_[index / kChunk][index % kChunk];
      if (record->live()) visit(record);
    }
  }

  size_t used() const { return used_; }

 private:
  static constexpr uint32_t kChunk = 1024;

  bool Grow() {
    if (size_ >= kMaxRecords) return false;
    chunks_.push_back(std::make_unique<Record[]>(kChunk));
    Record* chunk = chunks_.back().get();
    free_.reserve(size_ + kChunk);
    // the lowest index is taken first
    for (uint32_t i = kChunk; i-- > 0;) {
      chunk[i].index = size_ + i;
      free_.push_back(&chunk[i]);
    }
    size_ += kChunk;
    return true;
  }

  std::vector<std::unique_ptr<Record[]>> chunks_;
  std::vector<Record*> free_;
  uint32_t size_ = 0;
  size_t used_ = 0;
};

}  // namespace tandem
