#include "netd/client/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "common/base/unique_fd.h"

namespace heddle::client {
namespace {

constexpr int kMaxReplyBytes = 64 << 20;

std::unexpected<Error> nobody(const std::string& socket, std::string_view why) {
  return fail(Errc::unavailable,
              std::string(kNobody) + socket + " (" + std::string(why) +
                  "); start it with `systemctl start heddled`, or see `heddled --help`; another "
                  "one is named by --socket or HEDDLE_SOCKET");
}

// gRPC reads a target as a URI (RFC 3986).
std::string target_of(const std::string& socket) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string target = "unix:";
  for (const char c : socket) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || std::strchr("/-._~", c) != nullptr) {
      target += c;
    } else {
      target += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return target;
}

}  // namespace

Result<> knock(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.empty() || socket.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "socket path '" + socket + "' must have 1 to " +
                                   std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return {};
  }
  const int error = errno;
  if (error == EACCES || error == EPERM) {
    return fail(Errc::denied, "may not open " + socket +
                                  ": be root, or a member of the group that owns it (heddle)");
  }
  char text[128];
  return nobody(socket, ::strerror_r(error, text, sizeof text));
}

std::shared_ptr<grpc::Channel> open_channel(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReplyBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target_of(socket), grpc::InsecureChannelCredentials(),
                                   arguments);
}

std::chrono::system_clock::time_point wall(Deadline deadline) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             deadline - std::chrono::steady_clock::now());
}

}  // namespace heddle::client
