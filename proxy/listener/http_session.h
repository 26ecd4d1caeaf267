#pragma once
#include <memory>
#include <string>

#include "common/async/task.h"
#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"
#include "proxy/listener/client.h"
#include "proxy/listener/ingress.h"

namespace heddle::listener {

// Where the requests of a connection go: by the listener's rules, to a group by name (it may be
// replaced meanwhile), or to a group that only this listener has.
struct Way {
  bool by_rules = false;  // then clients are strangers: X-Forwarded-* is set
  std::string group;
  std::shared_ptr<upstream::Group> own_group;
};

// What is kept between the requests of a connection, so that the next one allocates little.
struct HttpScratch {
  http::RequestHead request;
  http::ResponseHead response;
  std::string to_target;
  std::string to_client;
};

// Serves HTTP/1 on a client's connection until either side ends it: one request after another, also
// when the client sends several at once. Threads: the core's.
class HttpSession {
 public:
  HttpSession(Ingress& ingress, Client& client, Way way)
      : ingress_(ingress), client_(client), way_(std::move(way)) {}

  Task<> run();

 private:
  enum class Head { ready, refused, closed };
  Task<Head> read_head();
  Deadline next_request_by() const;
  Task<> refuse(http::Refusal refusal);

  Ingress& ingress_;
  Client& client_;
  const Way way_;
  http::HeadScanner scanner_;
  HttpScratch scratch_;
};

}  // namespace heddle::listener
