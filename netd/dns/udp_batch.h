#pragma once
#include <sys/socket.h>

#include <array>

#include "netd/dns/wire.h"

namespace heddle::dns {

// The datagrams of a socket by the dozen: under load most of a query's cost is the system calls
// that receive and answer it. One for all sockets of a thread, which uses it for one at a time.
// Source: recvmmsg(2), sendmmsg(2).
class UdpBatch final {
 public:
  static constexpr std::size_t kSize = 32;
  struct Peer {
    sockaddr_storage address;
    socklen_t size = 0;
  };

  // `most`: the longest datagram of interest; longer ones come a byte longer than it.
  explicit UdpBatch(std::size_t most);

  // What waits, without waiting: how many, or -1 with errno.
  int receive(int fd);
  ByteView message(int i) const;  // valid until the next receive()
  const Peer& peer(int i) const { return peers_[static_cast<std::size_t>(i)]; }

  void reply(int i, Bytes bytes);
  // Sends the replies; how many there was no room for, or nobody to hear.
  std::size_t send(int fd);

 private:
  const std::size_t room_;
  Bytes buffer_;
  std::array<Peer, kSize> peers_;
  std::array<iovec, kSize> parts_in_, parts_out_;
  std::array<mmsghdr, kSize> in_, out_;
  std::array<Bytes, kSize> replies_;
  std::size_t queued_ = 0;
};

}  // namespace heddle::dns
