#include "proxy/listener/handed_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <charconv>

namespace heddle::listener {
namespace {

Result<> check_listens(std::string_view entry, int fd) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) {
    return fail(Errc::invalid,
                "HEDDLE_PROXY_SOCKETS: '" + std::string(entry) + "' is not an open socket");
  }
  if (!listens) {
    return fail(Errc::invalid, "HEDDLE_PROXY_SOCKETS: '" + std::string(entry) +
                                   "' does not listen; pass it after listen()");
  }
  return {};
}

}  // namespace

Result<HandedSockets> parse_handed_sockets(std::string_view text) {
  HandedSockets out;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const auto equals = entry.rfind('=');
    int fd = -1;
    const bool shaped = equals != std::string_view::npos && equals > 0;
    if (shaped) {
      const auto number = entry.substr(equals + 1);
      const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), fd);
      if (ec != std::errc() || end != number.data() + number.size()) fd = -1;
    }
    if (fd < 0) {
      return fail(Errc::invalid,
                  "HEDDLE_PROXY_SOCKETS: '" + std::string(entry) + "' is not name=descriptor");
    }
    TRY_DO(check_listens(entry, fd));
    if (!out.emplace(entry.substr(0, equals), fd).second) {
      return fail(Errc::invalid,
                  "HEDDLE_PROXY_SOCKETS: '" + std::string(entry) + "' names a socket twice");
    }
    (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return out;
}

}  // namespace heddle::listener
