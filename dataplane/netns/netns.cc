#include "dataplane/netns/netns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "common/base/check.h"

#ifndef SO_NETNS_COOKIE  // since Linux 5.14; absent from glibc 2.36's copy on some architectures
#define SO_NETNS_COOKIE 71
#endif

namespace heddle::netns {
namespace {

constexpr int kBacklog = 1024;

// Runs `work` on a thread of its own, so that whatever namespace it enters ends with it.
Result<> on_thread(const std::function<Result<>()>& work) {
  Result<> result;
  try {
    std::thread([&] { result = work(); }).join();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a helper thread");
  }
  return result;
}

bool is_nsfs(const std::string& path) {
  struct statfs fs{};
  return ::statfs(path.c_str(), &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

Result<> raise_loopback() {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a socket in the new namespace");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(fd.get(), SIOCGIFFLAGS, &request) < 0) return fail_errno(errno, "read lo");
  request.ifr_flags |= IFF_UP;
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) < 0) return fail_errno(errno, "set lo up");
  return {};
}

// The empty file that the namespace is mounted on. One left by a crash is used again.
Result<> make_mount_point(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (fd) return {};
  if (errno != EEXIST) return fail_errno(errno, "create " + path);
  if (is_nsfs(path)) return fail(Errc::exists, path + " is a namespace already");
  struct stat info{};
  if (::lstat(path.c_str(), &info) < 0) return fail_errno(errno, "look at " + path);
  if (!S_ISREG(info.st_mode) || info.st_size != 0)
    return fail(Errc::exists, path + " exists and is no namespace; move it away");
  return {};
}

socklen_t to_sockaddr(const SocketAddr& address, sockaddr_storage& storage) {
  std::memset(&storage, 0, sizeof storage);
  if (address.address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    in.sin_addr.s_addr = address.address.v4_be();
    return sizeof in;
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(address.port);
  std::memcpy(&in6.sin6_addr, address.address.bytes().data(), 16);
  return sizeof in6;
}

Result<UniqueFd> bound_socket(int type, const SocketAddr& address) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(address, storage);
  UniqueFd fd(::socket(storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a socket");
  const int on = 1;
  if (type == SOCK_STREAM && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
    return fail_errno(errno, "set SO_REUSEADDR");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) < 0)
    return fail_errno(errno, "bind " + address.format());
  if (type == SOCK_STREAM && ::listen(fd.get(), kBacklog) < 0)
    return fail_errno(errno, "listen on " + address.format());
  return fd;
}

Result<UniqueFd> bound_socket_in(int netns_fd, int type, const SocketAddr& address) {
  UniqueFd fd;
  TRY_DO(run_in(netns_fd, [&]() -> Result<> {
    TRY(fd, bound_socket(type, address));
    return {};
  }));
  return fd;
}

}  // namespace

Result<> create(const std::string& path) {
  TRY_DO(make_mount_point(path).during("create namespace"));
  auto made = on_thread([&]() -> Result<> {
    if (::unshare(CLONE_NEWNET) < 0) return fail_errno(errno, "unshare");
    TRY_DO(raise_loopback());
    if (::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) < 0)
      return fail_errno(errno, "mount on " + path);
    return {};
  });
  if (!made) ::unlink(path.c_str());
  return std::move(made).during("create namespace");
}

Result<> pin(int netns_fd, const std::string& path) {
  TRY_DO(make_mount_point(path).during("pin a namespace"));
  const std::string source = "/proc/self/fd/" + std::to_string(netns_fd);
  if (::mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0) return {};
  const int number = errno;
  ::unlink(path.c_str());
  return fail_errno(number, "mount a namespace on " + path);
}

Result<> remove(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail_errno(errno, "remove namespace " + path);
  }
  if (is_nsfs(path)) {
    // Mounts stack: a pin that was made twice is taken away twice. EINVAL: nothing mounted.
    while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    }
    if (errno != EINVAL) return fail_errno(errno, "unmount " + path);
  } else if (!S_ISREG(info.st_mode) || info.st_size != 0) {
    return fail(Errc::invalid, path + " is no namespace; not removed");
  }
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) return fail_errno(errno, "remove " + path);
  return {};
}

Result<UniqueFd> open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR)
      return fail(Errc::not_found, "no network namespace at " + path);
    return fail_errno(errno, "open " + path);
  }
  struct statfs fs{};
  if (::fstatfs(fd.get(), &fs) < 0) return fail_errno(errno, "look at " + path);
  if (fs.f_type != NSFS_MAGIC || ::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return fail(Errc::invalid, path + " is no network namespace");
  return fd;
}

Result<std::uint64_t> cookie(int netns_fd) {
  std::uint64_t value = 0;
  TRY_DO(run_in(netns_fd, [&]() -> Result<> {
    TRY(value, own_cookie());
    return {};
  }));
  return value;
}

Result<std::uint64_t> own_cookie() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "open a socket");
  std::uint64_t value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &value, &size) < 0)
    return fail_errno(errno, "SO_NETNS_COOKIE (Linux 5.14)");
  return value;
}

bool same(int netns_fd, int other_fd) {
  struct stat a{};
  struct stat b{};
  CHECK(::fstat(netns_fd, &a) == 0 && ::fstat(other_fd, &b) == 0);
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Result<> run_in(int netns_fd, const std::function<Result<>()>& work) {
  return run_in_each({netns_fd}, [&](std::size_t) { return work(); });
}

Result<> run_in_each(const std::vector<int>& netns_fds,
                     const std::function<Result<>(std::size_t)>& work) {
  return on_thread([&]() -> Result<> {
    for (std::size_t i = 0; i < netns_fds.size(); ++i) {
      if (::setns(netns_fds[i], CLONE_NEWNET) < 0) return fail_errno(errno, "enter the namespace");
      TRY_DO(work(i));
    }
    return {};
  });
}

Result<UniqueFd> listen_tcp(int netns_fd, const SocketAddr& address) {
  return bound_socket_in(netns_fd, SOCK_STREAM, address);
}

Result<UniqueFd> bind_udp(int netns_fd, const SocketAddr& address) {
  return bound_socket_in(netns_fd, SOCK_DGRAM, address);
}

Result<UniqueFd> listen_tcp_here(const SocketAddr& address) {
  return bound_socket(SOCK_STREAM, address);
}

Result<UniqueFd> bind_udp_here(const SocketAddr& address) {
  return bound_socket(SOCK_DGRAM, address);
}

Result<UniqueFd> connect_tcp(int netns_fd, const SocketAddr& address) {
  UniqueFd fd;
  TRY_DO(run_in(netns_fd, [&]() -> Result<> {
    sockaddr_storage storage;
    const socklen_t length = to_sockaddr(address, storage);
    fd.reset(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return fail_errno(errno, "open a socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) < 0 &&
        errno != EINPROGRESS)
      return fail_errno(errno, "connect to " + address.format());
    return {};
  }));
  return fd;
}

}  // namespace heddle::netns
