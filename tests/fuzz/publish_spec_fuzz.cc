// link: heddle_ctl_cmd
// What a person types after `-p` becomes ports or an error that names it; what is printed of a port
// is read again as that port.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "ctl/cmd/publish.h"
#include "ctl/cmd/rate.h"
#include "ctl/output/words.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

HEDDLE_FUZZ_TARGET(publish_spec, data, size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto rate = heddle::cmd::parse_rate("--rate-in", text);
  CHECK(!rate || *rate == 0 || (*rate >= 1'000 && *rate <= 10'000'000'000'000));
  auto ports = heddle::cmd::parse_publish("--publish", text);
  HEDDLE_DEFECT("what was asked for is forgotten", if (ports) ports->clear());
  if (!ports) {
    CHECK(ports.error().code() == heddle::Errc::invalid);
    CHECK(ports.error().text().starts_with("--publish '" + text + "': "));
    return 0;
  }
  CHECK(!ports->empty());
  for (const auto& port : *ports) {
    CHECK(port.port >= 1 && port.count >= 1 && port.port + port.count <= 65536);
    CHECK(port.host_port + port.count <= 65536);
    CHECK(port.host_port != 0 || port.count == 1);
    const auto again = heddle::cmd::parse_publish("again", heddle::output::format(port));
    CHECK(again.has_value() && again->size() == 1 && again->front() == port);
  }
  return 0;
}
