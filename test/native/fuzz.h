// What the fuzzing programs share.
#pragma once

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../../native/src/unique-fd.h"

[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "fuzz: %s (errno %d)\n", what.c_str(), errno);
  std::abort();
}

inline uint64_t randomState;

inline uint32_t Random() {
  randomState ^= randomState << 13;
  randomState ^= randomState >> 7;
  randomState ^= randomState << 17;
  return static_cast<uint32_t>(randomState >> 16);
}

inline bool Chance(uint32_t percent) { return Random() % 100 < percent; }

inline void Seed(const char* text) { randomState = std::strtoull(text, nullptr, 10) * 0x9e3779b97f4a7c15ull + 1; }

inline int CountDescriptors() {
  int count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  while (::readdir(dir) != nullptr) ++count;
  ::closedir(dir);
  return count;
}

inline sockaddr_in Loopback(uint16_t port, uint32_t host = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
  return address;
}
