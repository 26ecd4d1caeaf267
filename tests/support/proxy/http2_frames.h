#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// HTTP/2 byte for byte (RFC 9113, RFC 7541), for peers that do not keep to it.
namespace heddle::testing::h2 {

enum Type : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
constexpr std::uint8_t kEndStream = 1;
constexpr std::uint8_t kAck = 1;
constexpr std::uint8_t kEndHeaders = 4;
constexpr std::uint8_t kPadded = 8;

inline std::string number(std::uint32_t value, int bytes = 4) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
  return out;
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                         std::string_view payload) {
  std::string out = number(static_cast<std::uint32_t>(payload.size()), 3);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out.append(number(stream)).append(payload);
}

inline std::string preface(std::string_view settings = {}) {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, settings);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// A literal without indexing, without Huffman.
inline std::string literal(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  const auto text = [&](std::string_view bytes) {
    std::size_t size = bytes.size();
    if (size < 127) {
      out.push_back(static_cast<char>(size));
    } else {
      out.push_back(127);
      for (size -= 127; size >= 128; size /= 128)
        out.push_back(static_cast<char>(size % 128 + 128));
      out.push_back(static_cast<char>(size));
    }
    out.append(bytes);
  };
  text(name);
  text(value);
  return out;
}

inline std::string block(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) out += literal(name, value);
  return out;
}

inline Fields get(std::string path = "/") {
  return {
      {":method", "GET"}, {":scheme", "http"}, {":path", std::move(path)}, {":authority", "web"}};
}
inline Fields post(std::string path = "/") {
  Fields fields = get(std::move(path));
  fields[0].second = "POST";
  return fields;
}
inline Fields with(Fields fields, std::string name, std::string value) {
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}

inline std::string headers(std::uint32_t stream, const Fields& fields,
                           std::uint8_t flags = kEndHeaders | kEndStream) {
  return frame(kHeaders, flags, stream, block(fields));
}

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
};

// The whole frames at the beginning of `bytes`.
inline std::vector<Frame> parse(std::string_view bytes) {
  std::vector<Frame> out;
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  while (bytes.size() >= 9) {
    const std::size_t size = static_cast<std::size_t>(at(0)) << 16 | at(1) << 8 | at(2);
    if (bytes.size() < 9 + size) break;
    const std::uint32_t stream =
        (static_cast<std::uint32_t>(at(5)) << 24 | at(6) << 16 | at(7) << 8 | at(8)) & 0x7fffffff;
    out.push_back({at(3), at(4), stream, std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  return out;
}

inline std::uint32_t code_at(const std::string& payload, std::size_t begin) {
  std::uint32_t out = 0;
  for (std::size_t i = begin; i < begin + 4 && i < payload.size(); ++i) {
    out = out << 8 | static_cast<std::uint8_t>(payload[i]);
  }
  return out;
}

// The code of the last GOAWAY; of the first RST_STREAM of a stream.
inline std::optional<std::uint32_t> goaway(const std::vector<Frame>& frames) {
  std::optional<std::uint32_t> code;
  for (const Frame& one : frames) {
    if (one.type == kGoaway) code = code_at(one.payload, 4);
  }
  return code;
}
inline std::optional<std::uint32_t> reset(const std::vector<Frame>& frames, std::uint32_t stream) {
  for (const Frame& one : frames) {
    if (one.type == kRstStream && one.stream == stream) return code_at(one.payload, 0);
  }
  return std::nullopt;
}
inline std::string data(const std::vector<Frame>& frames, std::uint32_t stream) {
  std::string out;
  for (const Frame& one : frames) {
    if (one.type == kData && one.stream == stream) out += one.payload;
  }
  return out;
}
inline bool ended(const std::vector<Frame>& frames, std::uint32_t stream) {
  for (const Frame& one : frames) {
    if (one.stream == stream && (one.type == kData || one.type == kHeaders) &&
        (one.flags & kEndStream)) {
      return true;
    }
  }
  return false;
}

}  // namespace heddle::testing::h2
