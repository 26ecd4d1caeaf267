#pragma once
// For folders that speak netlink, in their .cc files only: libnl's message builder with checked
// appends.
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "common/base/check.h"
#include "common/net/ip.h"
#include "common/net/link.h"

namespace heddle::netlink {

class Message {
 public:
  // `most`: bytes of the whole message.
  Message(int type, int flags, std::size_t most = 4096) : message_(nlmsg_alloc_size(most)) {
    CHECK(message_ != nullptr);
    CHECK(nlmsg_put(raw(), 0, 0, type, 0, NLM_F_REQUEST | flags) != nullptr);
  }

  template <class Header>
  Message& header(const Header& value) {
    CHECK(nlmsg_append(raw(), const_cast<Header*>(&value), sizeof value, NLMSG_ALIGNTO) == 0);
    return *this;
  }
  Message& bytes(int attribute, const void* data, int size) {
    CHECK(nla_put(raw(), attribute, size, data) == 0);
    return *this;
  }
  Message& u8(int attribute, std::uint8_t value) { return bytes(attribute, &value, 1); }
  Message& u16(int attribute, std::uint16_t value) { return bytes(attribute, &value, 2); }
  Message& u32(int attribute, std::uint32_t value) { return bytes(attribute, &value, 4); }
  Message& u64(int attribute, std::uint64_t value) { return bytes(attribute, &value, 8); }
  Message& be32(int attribute, std::uint32_t value) {
    const std::uint8_t data[4] = {
        static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
        static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    return bytes(attribute, data, 4);
  }
  Message& be16(int attribute, std::uint16_t value) {
    const std::uint8_t data[2] = {static_cast<std::uint8_t>(value >> 8),
                                  static_cast<std::uint8_t>(value)};
    return bytes(attribute, data, 2);
  }
  Message& text(int attribute, const std::string& value) {
    return bytes(attribute, value.c_str(), static_cast<int>(value.size() + 1));
  }
  Message& mac(int attribute, const Mac& value) { return bytes(attribute, value.bytes.data(), 6); }
  Message& address(int attribute, const IpAddr& value) {
    return bytes(attribute, value.bytes().data(), value.is_v4() ? 4 : 16);
  }

  // Attributes put until the nest goes out of scope lie inside it.
  class Nest {
   public:
    Nest(Message& message, int attribute)
        : message_(message), nest_(nla_nest_start(message.raw(), attribute)) {
      CHECK(nest_ != nullptr);
    }
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;
    ~Nest() { nla_nest_end(message_.raw(), nest_); }

   private:
    Message& message_;
    nlattr* nest_;
  };

  nl_msg* raw() const { return message_.get(); }

 private:
  struct Free {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
  };
  std::unique_ptr<nl_msg, Free> message_;
};

// Attributes of a received message or nest, by number. Lengths are checked by the readers.
template <int kMax>
class Attributes {
 public:
  Attributes(const nlmsghdr& message, int header_size) {
    nlmsg_parse(const_cast<nlmsghdr*>(&message), header_size, table_, kMax, nullptr);
  }
  explicit Attributes(nlattr* nest) { nla_parse_nested(table_, kMax, nest, nullptr); }

  nlattr* find(int attribute) const { return table_[attribute]; }
  std::uint32_t u32(int attribute, std::uint32_t otherwise = 0) const {
    const nlattr* found = table_[attribute];
    return found && nla_len(found) >= 4 ? nla_get_u32(found) : otherwise;
  }
  std::uint8_t u8(int attribute) const {
    const nlattr* found = table_[attribute];
    return found && nla_len(found) >= 1 ? nla_get_u8(found) : 0;
  }
  std::uint16_t u16(int attribute) const {
    const nlattr* found = table_[attribute];
    return found && nla_len(found) >= 2 ? nla_get_u16(found) : std::uint16_t{0};
  }
  std::uint16_t be16(int attribute) const {
    const nlattr* found = table_[attribute];
    if (!found || nla_len(found) < 2) return 0;
    const auto* data = static_cast<const std::uint8_t*>(nla_data(found));
    return static_cast<std::uint16_t>(data[0] << 8 | data[1]);
  }
  std::uint32_t be32(int attribute) const {
    const nlattr* found = table_[attribute];
    if (!found || nla_len(found) < 4) return 0;
    const auto* data = static_cast<const std::uint8_t*>(nla_data(found));
    return std::uint32_t{data[0]} << 24 | data[1] << 16 | data[2] << 8 | data[3];
  }
  std::string text(int attribute) const {
    const nlattr* found = table_[attribute];
    if (!found || nla_len(found) < 1) return {};
    const auto* data = static_cast<const char*>(nla_data(found));
    return std::string(data, strnlen(data, static_cast<std::size_t>(nla_len(found))));
  }
  Mac mac(int attribute) const {
    Mac value;
    const nlattr* found = table_[attribute];
    if (found && nla_len(found) == 6) std::memcpy(value.bytes.data(), nla_data(found), 6);
    return value;
  }
  std::optional<IpAddr> address(int attribute) const {
    const nlattr* found = table_[attribute];
    if (!found) return std::nullopt;
    const auto* data = static_cast<const std::uint8_t*>(nla_data(found));
    if (nla_len(found) == 4)
      return IpAddr::v4(std::uint32_t{data[0]} << 24 | data[1] << 16 | data[2] << 8 | data[3]);
    if (nla_len(found) != 16) return std::nullopt;
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), data, 16);
    return IpAddr::v6(bytes);
  }

 private:
  nlattr* table_[kMax + 1] = {};
};

}  // namespace heddle::netlink
