#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

// What the daemon and heddle-holder say to each other: one request, one reply, each a datagram of
// fixed size on a SOCK_SEQPACKET unix socket; descriptors travel beside it (SCM_RIGHTS, unix(7)).
// Both ends are one machine and one build generation; kMagic changes with the layout.
namespace heddle::holder {

inline constexpr std::uint32_t kMagic = 0x68'64'6c'31;  // "hdl1"
inline constexpr std::size_t kMaxName = 128;
inline constexpr std::size_t kMaxKept = 4096;
inline constexpr std::size_t kPage = 32;  // descriptors in one reply; the kernel's limit is 253

// Exit status of a holder that finds the socket's place taken; 1 is any other failure, 2 wrong
// usage.
inline constexpr int kPlaceTaken = 3;

enum class Command : std::uint32_t {
  put = 1,  // with one descriptor
  drop = 2,
  list = 3,  // replies with up to kPage entries from `cursor` on
  shut = 4,  // replies, then ends
};

struct Request {
  std::uint32_t magic;
  Command command;
  std::uint32_t cursor;
  std::uint32_t name_length;
  char name[kMaxName];
};

struct Name {
  std::uint32_t length;
  char text[kMaxName];
};

struct Reply {
  std::uint32_t magic;
  std::int32_t sys_errno;  // 0 done
  std::uint32_t count;     // entries of `names`, and descriptors
  std::uint32_t next;      // cursor of the next page; 0: that was the last
  Name names[kPage];
};

static_assert(std::is_trivially_copyable_v<Request> && sizeof(Request) == 144);
static_assert(std::is_trivially_copyable_v<Reply> && sizeof(Reply) == 16 + kPage * 132);

// 1 to 128 of [A-Za-z0-9._:/-].
constexpr bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return false;
  for (const char c : name) {
    const bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == ':' || c == '/' || c == '-';
    if (!good) return false;
  }
  return true;
}

}  // namespace heddle::holder
