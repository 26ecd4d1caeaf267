#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "common/net/ip.h"

// What passes between two sandboxes, sent as fast as the way takes it.
namespace heddle::bench {

// Bytes of a full Ethernet frame of an MTU of 1500, and what TCP (with timestamps) and a datagram
// carry in it.
inline constexpr double kTcpShare = 1448.0 / 1514.0;
inline constexpr double kUdpShare = 1472.0 / 1514.0;

struct Stream {
  std::string from;  // sandboxes
  std::string to;
  IpAddr address;  // IPv4, of `to`
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds time{3000};  // after it
  // CPUs of the sender and the receiver; absent: wherever the kernel puts them.
  struct Pins {
    int sender = 0;
    int receiver = 1;
  };
  std::optional<Pins> pins = {};
};

// Payload that arrives.
struct Carried {
  double rate = 0;  // bits a second
  // Bits, of both threads, warming up included: little moved by others' load.
  double per_cpu_second = 0;
};
// TCP is Cubic's; datagrams fill the frames and go in batches (UDP_SEGMENT, udp(7)).
Carried tcp_goodput(const Stream& stream);
Carried udp_goodput(const Stream& stream);

}  // namespace heddle::bench
