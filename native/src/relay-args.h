// Arguments that both relays take from JavaScript, checked.
#pragma once

#include <cmath>
#include <string>

#include "common.h"
#include "relay-route.h"

namespace tandem {

bool BooleanArgument(const Napi::CallbackInfo& info, size_t index, const char* name);
Napi::Uint8Array BytesArgument(const Napi::CallbackInfo& info, size_t index, const char* name);

/// A route as JavaScript packs it, once for each backend: family, port, flags, four cells, the address.
Route RouteArgument(const Napi::CallbackInfo& info, size_t at, size_t cellCount);
/// The address to leave from, and whether it is another host's. False for null. It must be of the route's family.
bool SourceArgument(const Napi::CallbackInfo& info, size_t index, const Route& route, Source* source);

/// What `openRelay` and `openUdpRelay` are given.
struct RelayOptions {
  Napi::Float64Array totals;
  Napi::Int32Array events;
  Napi::Function listener;
};
RelayOptions RelayOptionsOf(const Napi::CallbackInfo& info);

/// generation * 2^22 + index; null for whatever is not the handle of a live record.
template <typename Table, typename Loop>
auto FindHandle(const Loop& loop, const Napi::CallbackInfo& info) {
  constexpr double kHandles = static_cast<double>(Table::kMaxRecords) * (Table::kGenerationMask + 1.0);
  if (!info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "handle must be a number");
  double handle = info[0].As<Napi::Number>().DoubleValue();
  if (!(handle >= 0 && handle < kHandles) || handle != std::floor(handle)) {
    throw Napi::RangeError::New(info.Env(), "handle must be one that an event gave");
  }
  auto bits = static_cast<uint64_t>(handle);
  auto index = static_cast<uint32_t>(bits & (Table::kMaxRecords - 1));
  return loop->relay().Find(index, static_cast<uint32_t>(bits >> Table::kIndexBits));
}

}  // namespace tandem
