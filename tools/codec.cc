// aim-codec: poses to action images and back.
#include <iostream>

#include "aim/base/text.h"
#include "aim/calibration/doctor.h"
#include "aim/data/action_video.h"
#include "tools/cli/cli.h"

int main(int argc, char** argv) {
  CLI::App app{"Turn robot poses into action images, and action images into metric poses.",
               "aim-codec"};

  aim::EncodeOptions encode_options;
  CLI::App* encode = app.add_subcommand("encode", "Draw one action video a view.");
  encode->footer(
      "Example: aim-codec encode --poses assets/example/poses.csv"
      " --cameras assets/example/cameras.json --out out/action");
  aim::cli::AddFlags(*encode, encode_options);
  aim::cli::ShowAsRequired(*encode, {"poses", "cameras", "out"});

  aim::DecodeOptions decode_options;
  CLI::App* decode = app.add_subcommand("decode", "Find the poses that all views show together.");
  decode->footer(
      "Example: aim-codec decode --images out/action/view0.npy --images out/action/view1.npy"
      " --cameras assets/example/cameras.json --out out/decoded.csv");
  aim::cli::AddFlags(*decode, decode_options);
  aim::cli::ShowAsRequired(*decode, {"images", "cameras", "out"});

  aim::DoctorOptions doctor_options;
  CLI::App* doctor =
      app.add_subcommand("doctor", "Find out whether cameras, poses and videos belong together.");
  doctor->footer("Example: aim-codec doctor --data data/demos --out out/doctor");
  aim::cli::AddFlags(*doctor, doctor_options);
  aim::cli::ShowAsRequired(*doctor, {"out"});

  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    const nlohmann::json result = encode->parsed() ? ToJson(aim::RunEncode(encode_options, run))
                                  : decode->parsed()
                                      ? ToJson(aim::RunDecode(decode_options, run))
                                      : ToBriefJson(aim::RunDoctor(doctor_options, run));
    std::cout << aim::DumpJson(result) << '\n';
  });
}
