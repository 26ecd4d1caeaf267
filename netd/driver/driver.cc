#include "netd/driver/driver.h"

#include "common/base/check.h"

namespace heddle::driver {

void DriverSet::add(std::unique_ptr<Driver> driver) {
  CHECK(find(driver->name()) == nullptr);
  drivers_.push_back(std::move(driver));
}

const Driver* DriverSet::find(std::string_view name) const {
  for (const auto& driver : drivers_) {
    if (driver->name() == name) return driver.get();
  }
  return nullptr;
}

Result<const Driver*> DriverSet::get(std::string_view name) const {
  if (const Driver* driver = find(name)) return driver;
  std::string known;
  for (const auto& driver : drivers_) {
    known += (known.empty() ? "" : ", ") + std::string(driver->name());
  }
  return fail(Errc::invalid, "no network driver '" + std::string(name) + "'; there are: " + known);
}

}  // namespace heddle::driver
