#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/net/ip.h"

// Blocking sockets as an application uses them, in the namespace of the calling thread. Reads give
// up after 2 s. Addresses are IPv4, or v4-mapped when `Family::mapped` is asked for.
namespace heddle::testing {

enum class Family { v4, mapped };

SocketAddr at(const std::string& text);  // 10.0.0.1:80

void give_up_after(int socket, std::chrono::milliseconds patience);  // of reads

Result<UniqueFd> tcp_listen(const SocketAddr& at);
Result<UniqueFd> tcp_connect(const SocketAddr& to, Family family = Family::v4);
Result<UniqueFd> tcp_connect_from(const SocketAddr& from, const SocketAddr& to);
Result<UniqueFd> tcp_accept(int listener);

Result<UniqueFd> udp_bind(const SocketAddr& at);
Result<UniqueFd> udp_open(Family family = Family::v4);
Result<> udp_connect(int socket, const SocketAddr& to, Family family = Family::v4);
Result<> send_to(int socket, const std::string& text, const SocketAddr& to,
                 Family family = Family::v4);
struct Datagram {
  std::string text;
  SocketAddr from;  // v4-mapped addresses are shown as IPv4
};
Result<Datagram> receive(int socket);
Result<> send_text(int socket, const std::string& text);
Result<std::string> read_text(int socket);

Result<SocketAddr> peer_of(int socket);
Result<SocketAddr> own_end_of(int socket);
// SO_ORIGINAL_DST; at SOL_IP, or at SOL_IPV6 for `Family::mapped`.
Result<SocketAddr> original_destination(int socket, Family family = Family::v4);

std::uint64_t netns_cookie();

}  // namespace heddle::testing
