#include "topologies/engine/plan/settings.h"

#include <cmath>

namespace heddle::plan {
namespace {

std::uint64_t threshold(double share) {
  return static_cast<std::uint64_t>(std::llround(share * static_cast<double>(HEDDLE_WIRE_ALWAYS)));
}

}  // namespace

heddle_wire_settings wire_settings(const format::Impairment& impairment, std::uint64_t key) {
  heddle_wire_settings out{};
  out.key = key;
  // A burst ends with chance 1/mean before each packet; it begins so often that the share is right.
  const double ends = 1 / impairment.loss_burst;
  const bool bursts = impairment.loss_burst > 1;
  out.loss_after_loss = threshold(bursts ? 1 - ends : impairment.loss);
  out.loss_after_arrival =
      threshold(bursts ? impairment.loss * ends / (1 - impairment.loss) : impairment.loss);
  out.corrupt = threshold(impairment.corrupt);
  out.duplicate = threshold(impairment.duplicate);
  out.reorder = threshold(impairment.reorder);
  out.delay_ns = static_cast<std::uint64_t>(impairment.delay.count()) * 1000;
  out.jitter_ns = static_cast<std::uint64_t>(impairment.jitter.count()) * 1000;
  switch (impairment.distribution) {
    case format::Distribution::uniform:
      out.spread = HEDDLE_WIRE_UNIFORM;
      break;
    case format::Distribution::normal:
      out.spread = HEDDLE_WIRE_NORMAL;
      break;
    case format::Distribution::pareto:
      out.spread = HEDDLE_WIRE_PARETO;
      break;
  }
  return out;
}

}  // namespace heddle::plan
