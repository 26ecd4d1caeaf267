#pragma once
#include <functional>
#include <memory>

#include "netd/flows/flow.h"
#include "netd/flows/flow_log.h"
#include "netd/model/view.h"

namespace heddle::flows {

// The programs' events in the words of the View of the moment.
class Reader final : public Source {
 public:
  using Views = std::function<std::shared_ptr<const model::View>()>;
  // `ring` is borrowed; null: no programs, every read is `unsupported`.
  Reader(bpf::FlowRing* ring, Views views) : log_(ring), views_(std::move(views)) {}

  Result<Page> read(Query query, Deadline deadline) override;

 private:
  FlowLog log_;
  const Views views_;
};

}  // namespace heddle::flows
