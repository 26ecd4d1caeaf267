#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.h"
#include "proxy/http/serialize.h"

// Heads between HTTP/1, which is what the proxy judges and keeps, and HTTP/2 (RFC 9113, section 8).
namespace heddle::http2 {

// Fields in the order in which they are sent; names are lower case.
class FieldBlock {
 public:
  // Whether the field may stand in the peer's table: not what differs with each message.
  enum class Index { yes, no };
  void add(std::string_view name, std::string_view value, Index index = Index::yes);
  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }
  void clear();

  struct Field {
    std::string_view name;
    std::string_view value;
    Index index;
  };
  Field operator[](std::size_t i) const;

 private:
  struct Slice {
    std::uint32_t name_at;
    std::uint32_t name_size;
    std::uint32_t value_size;
    Index index;
  };
  std::string bytes_;
  std::vector<Slice> fields_;
};

// `scheme`: "http" or "https".
void append_request(FieldBlock& out, const http::RequestHead& head, const http::RequestEdit& edit,
                    std::string_view scheme);
// 1xx too; `body`: as it goes to the client.
void append_response(FieldBlock& out, const http::ResponseHead& head);
void append_local(FieldBlock& out, const http::LocalResponse& response);
// `lines`: validated `Name: value\r\n`.
void append_trailers(FieldBlock& out, std::string_view lines);

// A header block that came, being turned into the text of an HTTP/1 head, which is then judged as
// if it had come on HTTP/1. What could not stand in such a head makes it invalid.
class HeadText {
 public:
  void clear();
  enum class Keep { yes, no };  // no: it only counts
  void add(std::string_view name, std::string_view value, Keep keep = Keep::yes);

  bool is_valid() const { return valid_; }
  // No pseudo-header, nor what is kept apart because it matters in a head.
  bool may_be_trailers() const {
    return valid_ && !has_host_ && cookie_.empty() && status_.empty() && method_.empty();
  }
  bool has_status() const { return !status_.empty(); }
  std::size_t list_bytes() const { return list_bytes_; }  // as RFC 9113, section 6.5.2 counts them
  std::size_t count() const { return count_; }

  // `ended`: no body follows. Nothing may be added after these.
  std::string request(bool ended);
  std::string response();
  std::string trailers() { return std::move(fields_); }

  // Of extended CONNECT (RFC 8441).
  const std::string& protocol() const { return protocol_; }

 private:
  void add_pseudo(std::string_view name, std::string_view value);

  std::string fields_;  // `name: value\r\n`
  std::string method_;
  std::string path_;
  std::string authority_;
  std::string scheme_;
  std::string status_;
  std::string protocol_;
  std::string host_;
  std::string cookie_;  // crumbs put together again (RFC 9113, section 8.2.3)
  bool has_host_ = false;
  bool has_length_ = false;
  bool valid_ = true;
  std::size_t list_bytes_ = 0;
  std::size_t count_ = 0;
};

}  // namespace heddle::http2
