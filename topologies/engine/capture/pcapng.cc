#include "topologies/engine/capture/pcapng.h"

#include <algorithm>
#include <type_traits>

namespace heddle::capture {
namespace {

constexpr std::uint32_t kSection = 0x0a0d0d0a;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kStatistics = 5;
constexpr std::uint32_t kPacket = 6;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;

// Options of the blocks that we write.
constexpr std::uint16_t kEnd = 0;
constexpr std::uint16_t kUserApplication = 4;  // of a section
constexpr std::uint16_t kName = 2;             // of an interface
constexpr std::uint16_t kResolution = 9;
constexpr std::uint16_t kFlags = 2;  // of a packet
constexpr std::uint16_t kStart = 2;  // of statistics
constexpr std::uint16_t kFinish = 3;
constexpr std::uint16_t kReceived = 4;
constexpr std::uint16_t kDropped = 5;

// Appends one block; its length is known at the end.
class Block {
 public:
  Block(std::string& out, std::uint32_t type) : out_(out), start_(out.size()) {
    number(type);
    number(std::uint32_t{0});
  }
  template <class T>
  void number(T value) {
    static_assert(std::is_unsigned_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void bytes(std::string_view text) {
    out_.append(text);
    out_.append((4 - text.size() % 4) % 4, '\0');
  }
  void option(std::uint16_t code, std::string_view value) {
    number(code);
    number(static_cast<std::uint16_t>(value.size()));
    bytes(value);
  }
  template <class T>
  void option(std::uint16_t code, T value) {
    option(code, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }
  // Times are two halves, the upper first.
  void time(std::uint64_t ns) {
    number(static_cast<std::uint32_t>(ns >> 32));
    number(static_cast<std::uint32_t>(ns));
  }
  void time_option(std::uint16_t code, std::uint64_t ns) { option(code, ns >> 32 | ns << 32); }
  void end() {
    const auto length = static_cast<std::uint32_t>(out_.size() - start_ + 4);
    number(length);
    std::copy_n(reinterpret_cast<const char*>(&length), sizeof length,
                out_.begin() + static_cast<std::ptrdiff_t>(start_) + 4);
  }

 private:
  std::string& out_;
  const std::size_t start_;
};

}  // namespace

std::string format_header(const Interface& interface) {
  std::string out;
  Block section(out, kSection);
  section.number(kByteOrder);
  section.number(std::uint16_t{1});  // version 1.0
  section.number(std::uint16_t{0});
  section.number(~std::uint64_t{0});  // its length is not known
  section.option(kUserApplication, "heddle " HEDDLE_VERSION);
  section.option(kEnd, std::string_view());
  section.end();
  Block block(out, kInterface);
  block.number(interface.link_type);
  block.number(std::uint16_t{0});
  block.number(interface.snaplen);
  block.option(kName, std::string_view(interface.name));
  block.option(kResolution, std::uint8_t{9});  // 10^-9 s
  block.option(kEnd, std::string_view());
  block.end();
  return out;
}

void append_packet(std::string& out, const Packet& packet) {
  Block block(out, kPacket);
  block.number(std::uint32_t{0});  // the one interface
  block.time(packet.time_ns);
  block.number(static_cast<std::uint32_t>(packet.bytes.size()));
  block.number(packet.length);
  block.bytes({reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size()});
  if (packet.direction != Direction::unknown) {
    block.option(kFlags, static_cast<std::uint32_t>(packet.direction));
    block.option(kEnd, std::string_view());
  }
  block.end();
}

std::string format_totals(const Totals& totals) {
  std::string out;
  Block block(out, kStatistics);
  block.number(std::uint32_t{0});
  block.time(totals.end_ns);
  block.time_option(kStart, totals.start_ns);
  block.time_option(kFinish, totals.end_ns);
  block.option(kReceived, totals.received);
  block.option(kDropped, totals.dropped);
  block.option(kEnd, std::string_view());
  block.end();
  return out;
}

}  // namespace heddle::capture
