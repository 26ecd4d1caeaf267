#pragma once
#include "common/async/task.h"
#include "proxy/http/head_scanner.h"
#include "proxy/http/message.h"
#include "proxy/listener/client.h"
#include "proxy/listener/exchange.h"
#include "proxy/listener/http1_client.h"
#include "proxy/listener/ingress.h"
#include "proxy/listener/way.h"

namespace heddle::listener {

// Serves HTTP on a client's connection until either side ends it: HTTP/1, one request after
// another, also when the client sends several at once; HTTP/2 where its preface is what comes
// first. Threads: the core's.
class HttpSession {
 public:
  HttpSession(Ingress& ingress, Client& client, Way way)
      : ingress_(ingress), client_(client), way_(std::move(way)) {}

  Task<> run();

 private:
  enum class Head { ready, refused, closed, http2 };
  Task<Head> read_head();
  Deadline next_request_by() const;
  Task<> refuse(http::Refusal refusal);

  Ingress& ingress_;
  Client& client_;
  const Way way_;
  bool first_ = true;  // nothing was read yet
  http::HeadScanner scanner_;
  HttpScratch scratch_;
  ExchangeScratch exchange_scratch_;
};

}  // namespace heddle::listener
