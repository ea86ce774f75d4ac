// Where a relay goes on behalf of a client, and what it counts there.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace tandem {

/// Cells of the counters that a connection's bytes are added to.
struct ByteCells {
  uint32_t serviceIn = 0;
  uint32_t backendIn = 0;
  uint32_t serviceOut = 0;
  uint32_t backendOut = 0;
};

/// Where a connect attempt goes.
struct Route {
  sockaddr_storage address{};
  socklen_t length = 0;
  bool noDelay = false;
  bool keepAlive = false;
  ByteCells cells;
};

/// Where a connect attempt leaves from; the port is for the kernel to choose.
struct Source {
  sockaddr_storage address{};
  socklen_t length = 0;
  bool transparent = false;
};

/// To be called between socket(2) and connect(2). An errno, or 0.
int BindSource(int fd, const Source& source);

/// What went wrong on a socket, once: an errno, or 0.
int SocketError(int fd);

/// Writes address and port; 4 or 6, or 0 for another family.
int32_t ReadAddress(const sockaddr_storage& from, uint8_t* bytes, int32_t* port);

}  // namespace tandem
