#include "netd/mesh/socket_server.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/observe/log.h"

namespace heddle::mesh {
namespace {

constexpr int kSocketBacklog = 128;
constexpr std::size_t kMaxName = 255;  // of a proxy and of a socket
constexpr std::size_t kMaxQuestion = 2 * kMaxName + 1;
constexpr std::size_t kMaxAnswer = 500;
constexpr timeval kTimeout{.tv_sec = 1, .tv_usec = 0};  // a proxy asks as soon as it has connected

void send_answer(int connection, std::string_view text, int descriptor) {
  iovec part{const_cast<char*>(text.data()), std::min(text.size(), kMaxAnswer)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  }
  if (::sendmsg(connection, &message, MSG_NOSIGNAL) < 0)
    log_warn("socket_not_sent", {{"error", Error::from_errno(errno, "sendmsg")}});
}

}  // namespace

Result<SocketQuestion> parse_socket_question(std::string_view text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos || end == 0 || end > kMaxName)
    return fail(Errc::invalid, "a question is a proxy's id, a new line and a socket's name");
  const std::string_view name = text.substr(end + 1);
  if (name.empty() || name.size() > kMaxName || name.find('\n') != std::string_view::npos)
    return fail(Errc::invalid, "a socket's name is one line of 1 to 255 bytes");
  return SocketQuestion{std::string(text.substr(0, end)), std::string(name)};
}

Result<std::unique_ptr<SocketServer>> SocketServer::start(Settings settings) {
  std::unique_ptr<SocketServer> server(new SocketServer(std::move(settings)));
  UnixListener::Settings listener;
  listener.socket = {server->settings_.path, SOCK_SEQPACKET, kSocketBacklog, server->settings_.uid};
  listener.accepted = [raw = server.get()](UniqueFd connection) { raw->answer(connection.get()); };
  TRY(server->listener_, UnixListener::start(std::move(listener)));
  return server;
}

void SocketServer::answer(int connection) const {
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
  const auto found = find(connection);
  send_answer(connection, found ? "ok" : found.error().text(), found ? found->get() : -1);
}

Result<UniqueFd> SocketServer::find(int connection) const {
  TRY(const Peer peer, peer_of(connection));
  if (peer.uid != 0 && peer.uid != settings_.uid)
    return fail(Errc::denied, "uid " + std::to_string(peer.uid) + " runs no proxies");
  char text[kMaxQuestion + 1];
  const ssize_t n = ::recv(connection, text, sizeof text, 0);
  if (n < 0) return fail_errno(errno, "read the question");
  TRY(const SocketQuestion question, parse_socket_question({text, static_cast<std::size_t>(n)}));
  return settings_.find(peer, question);
}

}  // namespace heddle::mesh
