#include "aim/geometry/rigid3.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numbers>

#include "aim/base/error.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/scene.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::kRoundTripM;
using testing::kRoundTripRad;
using testing::kSixDigits;
using testing::kThroughMatrixRad;
using testing::PointNear;
using testing::RandomRigid;
using testing::RandomRotation;
using testing::RandomUnitVector;
using testing::RigidNear;
using testing::RotationNear;

class RotationTest : public ::testing::TestWithParam<double> {};

// Exp(Log(q)) = q. Rotations are compared, not vectors: at pi the axis has two signs.
TEST_P(RotationTest, ExpInvertsLog) {
  Rng rng(7);
  for (int i = 0; i < 100; ++i) {
    const Eigen::Quaterniond rotation(Eigen::AngleAxisd(GetParam(), RandomUnitVector(rng)));
    EXPECT_THAT(ExpRotation(LogRotation(rotation)), RotationNear(rotation, kRoundTripRad))
        << "draw " << i;
  }
}

TEST_P(RotationTest, ExpOfAnAxisTurnsByItsLength) {
  Rng rng(8);
  for (int i = 0; i < 20; ++i) {
    const Eigen::Vector3d axis = RandomUnitVector(rng);
    EXPECT_THAT(
        ExpRotation(GetParam() * axis),
        RotationNear(Eigen::Quaterniond(Eigen::AngleAxisd(GetParam(), axis)), kRoundTripRad));
  }
}

TEST_P(RotationTest, LogIsAtMostPiLong) {
  Rng rng(9);
  const Eigen::Quaterniond rotation(Eigen::AngleAxisd(GetParam(), RandomUnitVector(rng)));
  EXPECT_LE(LogRotation(rotation).norm(), std::numbers::pi + 1e-12);
  EXPECT_LE(LogRotation(Eigen::Quaterniond(-rotation.coeffs())).norm(), std::numbers::pi + 1e-12);
}

TEST_P(RotationTest, AngleBetweenIsTheAngleTurned) {
  Rng rng(10);
  const double expected_rad =
      GetParam() <= std::numbers::pi ? GetParam() : 2 * std::numbers::pi - GetParam();
  for (int i = 0; i < 20; ++i) {
    const Eigen::Quaterniond a = RandomRotation(rng);
    const Eigen::Quaterniond b = a * Eigen::AngleAxisd(GetParam(), RandomUnitVector(rng));
    EXPECT_NEAR(AngleBetween(a, b), expected_rad, 2e-15 + 1e-14);
    EXPECT_NEAR(AngleBetween(b, Eigen::Quaterniond(-a.coeffs())), expected_rad, 1e-14);
  }
}

TEST_P(RotationTest, RotationBetweenTurnsOneDirectionIntoTheOther) {
  Rng rng(12);
  for (int i = 0; i < 20; ++i) {
    const Eigen::Vector3d from = RandomUnitVector(rng);
    const Eigen::AngleAxisd turn(GetParam(), from.unitOrthogonal());
    const Eigen::Vector3d to = turn * from;
    const Eigen::Quaterniond between = RotationBetween(3.0 * from, 0.2 * to);
    EXPECT_NEAR(between.norm(), 1.0, 1e-9);
    EXPECT_LT((between * from - to).norm(), 1e-8);
    EXPECT_NEAR(AngleBetween(between, Eigen::Quaterniond::Identity()),
                std::acos(std::clamp(from.dot(to), -1.0, 1.0)), 1e-6);
  }
}

TEST_P(RotationTest, MatrixRestoresTheMotion) {
  Rng rng(11);
  for (int i = 0; i < 20; ++i) {
    const Rigid3d rigid{Eigen::Quaterniond(Eigen::AngleAxisd(GetParam(), RandomUnitVector(rng))),
                        RandomUnitVector(rng)};
    EXPECT_THAT(RigidFromMatrix(ToMatrix(rigid), "m"),
                RigidNear(rigid, kRoundTripM, kThroughMatrixRad));
  }
}

// Identity, both sides of the series switch, ordinary, both sides of pi.
INSTANTIATE_TEST_SUITE_P(Angles, RotationTest,
                         ::testing::Values(0.0, 1e-13, 1e-8, 0.99e-6, 1.01e-6, 0.7, 3.0,
                                           std::numbers::pi - 1e-9, std::numbers::pi,
                                           std::numbers::pi + 1e-9));

TEST(RigidTest, InverseUndoesTheMotion) {
  Rng rng(12);
  for (int i = 0; i < 100; ++i) {
    const Rigid3d b_from_a = RandomRigid(rng);
    const Eigen::Vector3d p_in_a = 3 * RandomUnitVector(rng);
    EXPECT_THAT(Inverse(b_from_a) * (b_from_a * p_in_a), PointNear(p_in_a, kRoundTripM));
    EXPECT_THAT(Inverse(b_from_a) * b_from_a, RigidNear(Rigid3d(), kRoundTripM, kRoundTripRad));
  }
}

TEST(RigidTest, ProductIsAssociativeAndAgreesWithMatrices) {
  Rng rng(13);
  for (int i = 0; i < 100; ++i) {
    const Rigid3d c_from_b = RandomRigid(rng);
    const Rigid3d b_from_a = RandomRigid(rng);
    const Eigen::Vector3d p_in_a = RandomUnitVector(rng);
    EXPECT_THAT((c_from_b * b_from_a) * p_in_a, PointNear(c_from_b * (b_from_a * p_in_a), 1e-12));
    const Eigen::Matrix4d product = ToMatrix(c_from_b) * ToMatrix(b_from_a);
    EXPECT_LE((ToMatrix(c_from_b * b_from_a) - product).cwiseAbs().maxCoeff(), 1e-12);
  }
}

TEST(RigidTest, LongChainsStayUnit) {
  Rng rng(14);
  const Rigid3d step = RandomRigid(rng);
  Rigid3d chain;
  for (int i = 0; i < 100000; ++i) chain = chain * step;
  EXPECT_NEAR(chain.rotation.norm(), 1.0, 1e-14);
}

TEST(EulerTest, RestoresTheRotation) {
  Rng rng(15);
  for (int i = 0; i < 200; ++i) {
    const Eigen::Quaterniond rotation = RandomRotation(rng);
    EXPECT_THAT(RotationFromEuler(EulerFromRotation(rotation)), RotationNear(rotation, 1e-9));
  }
}

// The home pose sits at a, c = +-pi, the gimbal lock at b = +-pi/2.
TEST(EulerTest, RestoresTheRotationAtItsEdges) {
  for (const double a : {-std::numbers::pi, 0.0, std::numbers::pi}) {
    for (const double b : {-std::numbers::pi / 2, 0.0, 0.2423844, std::numbers::pi / 2}) {
      for (const double c : {-std::numbers::pi, 0.3, std::numbers::pi}) {
        const Eigen::Quaterniond rotation = RotationFromEuler({a, b, c});
        EXPECT_THAT(RotationFromEuler(EulerFromRotation(rotation)),
                    RotationNear(rotation, kThroughMatrixRad));
      }
    }
  }
}

// Origin: docs/reference/method.md section 9, poses P1 and P2 (scipy, extrinsic xyz).
TEST(EulerTest, MatchesTheReferencePoses) {
  const Eigen::Quaterniond p1(.1208958, 0, .9926652, 0);
  const Eigen::Quaterniond p2(.1418877, .9576172, -.1988828, .1525868);
  EXPECT_THAT(RotationFromEuler({std::numbers::pi, .2423844, std::numbers::pi}),
              RotationNear(p1.normalized(), kSixDigits));
  EXPECT_THAT(RotationFromEuler({2.9144581, -.3561598, -.3684960}),
              RotationNear(p2.normalized(), kSixDigits));
}

TEST(InterpolateTest, EndsAndMiddle) {
  const Rigid3d from{Eigen::Quaterniond::Identity(), {0, 0, 0}};
  const Rigid3d to{Eigen::Quaterniond(Eigen::AngleAxisd(1.0, Eigen::Vector3d::UnitZ())), {2, 4, 6}};
  const Rigid3d middle{Eigen::Quaterniond(Eigen::AngleAxisd(0.5, Eigen::Vector3d::UnitZ())),
                       {1, 2, 3}};
  EXPECT_THAT(Interpolate(from, to, 0), RigidNear(from, kRoundTripM, kRoundTripRad));
  EXPECT_THAT(Interpolate(from, to, 1), RigidNear(to, kRoundTripM, kRoundTripRad));
  EXPECT_THAT(Interpolate(from, to, 0.5), RigidNear(middle, kRoundTripM, kRoundTripRad));
  const Rigid3d negated{Eigen::Quaterniond(-to.rotation.coeffs()), to.translation};
  EXPECT_THAT(Interpolate(from, negated, 0.5), RigidNear(middle, kRoundTripM, kRoundTripRad));
}

TEST(CanonicalSignTest, KeepsTheRotationAndMakesWPositive) {
  Rng rng(16);
  for (int i = 0; i < 50; ++i) {
    const Eigen::Quaterniond rotation = RandomRotation(rng);
    EXPECT_GE(CanonicalSign(rotation).w(), 0.0);
    EXPECT_THAT(CanonicalSign(rotation), RotationNear(rotation, kRoundTripRad));
  }
}

struct BadMatrix {
  const char* name;
  void (*spoil)(Eigen::Matrix4d&);
  std::vector<std::string> words;
};

class BadMatrixTest : public ::testing::TestWithParam<BadMatrix> {};

TEST_P(BadMatrixTest, IsRefusedInOneSentence) {
  Eigen::Matrix4d matrix = Eigen::Matrix4d::Identity();
  GetParam().spoil(matrix);
  ExpectThrowsWith<InputError>([&] { RigidFromMatrix(matrix, "views[0].world_from_camera"); },
                               GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Matrices, BadMatrixTest,
    ::testing::Values(
        BadMatrix{"Nan",
                  [](Eigen::Matrix4d& m) { m(0, 3) = std::numeric_limits<double>::quiet_NaN(); },
                  {"views[0].world_from_camera is not finite"}},
        BadMatrix{"Infinite",
                  [](Eigen::Matrix4d& m) { m(1, 1) = std::numeric_limits<double>::infinity(); },
                  {"not finite"}},
        BadMatrix{"Scaled",
                  [](Eigen::Matrix4d& m) { m.topLeftCorner<3, 3>() *= 1.01; },
                  {"not a rotation", "orthonormal"}},
        BadMatrix{"Mirrored", [](Eigen::Matrix4d& m) { m(2, 2) = -1; }, {"not a rotation", "det"}},
        BadMatrix{"Zero",
                  [](Eigen::Matrix4d& m) { m.topLeftCorner<3, 3>().setZero(); },
                  {"not a rotation"}},
        BadMatrix{"ColumnMajor", [](Eigen::Matrix4d& m) { m(3, 0) = 0.5; }, {"last row"}}),
    testing::CaseName());

}  // namespace
}  // namespace aim
