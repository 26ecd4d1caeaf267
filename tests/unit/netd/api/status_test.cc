#include "netd/api/status.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

namespace heddle::api {
namespace {

TEST(Status, EveryCodeComesBackAsItWas) {
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    const Error error(static_cast<Errc>(i), "no network 'blue'");
    const grpc::Status status = to_status(error);
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(from_status(status), error);
  }
}

TEST(Status, ForeignCodesAreInternalAndSayThatNoReasonWasGiven) {
  const Error error = from_status(grpc::Status(grpc::StatusCode::UNKNOWN, ""));
  EXPECT_EQ(error.code(), Errc::internal);
  EXPECT_EQ(error.text(), "the other side gave no reason (internal)");
}

TEST(Status, ALongTextIsCutOnACharacterSoThatTheTrailerStillTravels) {
  std::string text;
  while (text.size() < 10000) text += "\u20ac";  // three bytes each
  const std::string cut = to_status(Error(Errc::invalid, text)).error_message();
  EXPECT_LE(cut.size(), 4096u);
  EXPECT_TRUE(cut.ends_with("\u20ac..."));
}

}  // namespace
}  // namespace heddle::api
