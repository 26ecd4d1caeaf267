#include "tests/support/proxy/http2_peer.h"

#include <sys/socket.h>

namespace heddle::testing::h2 {

bool Peer::fill() {
  char room[16384];
  const ssize_t n = ::recv(fd_, room, sizeof room, 0);
  if (n <= 0) {
    closed_ = true;
    return false;
  }
  bytes_.append(room, static_cast<std::size_t>(n));
  return true;
}

bool Peer::read_until(const std::function<bool(const std::vector<Frame>&)>& enough) {
  while (!enough(frames_)) {
    const auto came = parse(bytes_);
    if (came.empty()) {
      if (!fill()) return false;
      continue;
    }
    for (const Frame& one : came) {
      bytes_.erase(0, 9 + one.payload.size());
      if (acknowledges && one.type == kSettings && !(one.flags & kAck))
        send(frame(kSettings, kAck, 0, ""));
      frames_.push_back(one);
    }
  }
  return true;
}

int Peer::status(std::uint32_t stream, int nth) const {
  for (const Frame& one : frames_) {
    if (one.type != kHeaders || one.stream != stream || nth-- > 0) continue;
    std::string_view block = one.payload;
    // A change of the table's size may come first (RFC 7541, section 4.2).
    while (!block.empty() && (block.front() & 0xe0) == 0x20) block.remove_prefix(1);
    if (block.empty()) return -1;
    switch (static_cast<std::uint8_t>(block.front())) {
      case 0x88:
        return 200;
      case 0x89:
        return 204;
      case 0x8c:
        return 400;
      case 0x8d:
        return 404;
      case 0x8e:
        return 500;
      default:
        break;
    }
    // A literal with the status's name (index 8), its digits coded by Huffman or not.
    if (block.size() < 3 || (block.front() & 0x0f) != 8) return -1;
    const auto size = static_cast<std::uint8_t>(block[1]);
    if (size == 3) return std::stoi(std::string(block.substr(2, 3)));
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < (size & 0x7fu); ++i) {
      bits = bits << 8 | static_cast<std::uint8_t>(block[2 + i]);
    }
    // 0, 1 and 2 have five bits, the other digits six (RFC 7541, appendix B).
    int left = static_cast<int>(size & 0x7f) * 8;
    int out = 0;
    for (int digit = 0; digit < 3; ++digit) {
      const std::uint32_t five = bits >> (left - 5) & 31;
      if (five <= 2) {
        out = out * 10 + static_cast<int>(five);
        left -= 5;
      } else {
        const std::uint32_t six = bits >> (left - 6) & 63;
        out = out * 10 + static_cast<int>(six) - 0x19 + 3;
        left -= 6;
      }
    }
    return out;
  }
  return -1;
}

Backend::Script speaking_http2(std::function<void(Peer&)> serve) {
  return [serve](int fd) {
    Peer peer(fd);
    serve(peer);
  };
}

std::string status_block(const std::string& status, const Fields& more) {
  return literal(":status", status) + block(more);
}

std::uint32_t next_request(Peer& peer, std::size_t& seen) {
  std::uint32_t stream = 0;
  peer.read_until([&](const std::vector<Frame>& all) {
    for (; seen < all.size(); ++seen) {
      const Frame& one = all[seen];
      const bool request = one.type == kHeaders || one.type == kData;
      if (request && (one.flags & kEndStream)) {
        stream = one.stream;
        ++seen;
        return true;
      }
    }
    return false;
  });
  return stream;
}

Backend::Script answering_http2(std::string body, std::atomic<int>* requests) {
  return speaking_http2([=](Peer& peer) {
    std::size_t seen = 0;
    while (const std::uint32_t stream = next_request(peer, seen)) {
      if (requests) ++*requests;
      peer.send(frame(kHeaders, kEndHeaders, stream, status_block("200")) +
                frame(kData, kEndStream, stream, body));
    }
  });
}

}  // namespace heddle::testing::h2
