#include "env/scene_spec.h"

#include <array>
#include <cstdlib>
#include <vector>

#include "aim/base/error.h"
#include "env/distractors.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr int kGripperBit = 1;
constexpr int kMovableBit = 2;

void SetTouch(Touch touch, mjsGeom* geom) {
  geom->contype = touch == Touch::kGripper   ? kGripperBit
                  : touch == Touch::kMovable ? kMovableBit
                                             : 0;
  geom->conaffinity = touch == Touch::kFixture   ? kGripperBit
                      : touch == Touch::kMovable ? kGripperBit | kMovableBit
                                                 : 0;
}

void SetColour(const Rgb& colour, mjsGeom* geom) {
  geom->rgba[0] = colour.r;
  geom->rgba[1] = colour.g;
  geom->rgba[2] = colour.b;
  geom->rgba[3] = 1;
}

std::vector<mjsElement*> Elements(mjSpec* spec, mjtObj type) {
  std::vector<mjsElement*> elements;
  for (mjsElement* e = mjs_firstElement(spec, type); e != nullptr; e = mjs_nextElement(spec, e)) {
    elements.push_back(e);
  }
  return elements;
}

std::string NameOf(mjsElement* element) { return mjs_getString(mjs_getName(element)); }

// Collision shapes: link meshes stay as they are drawn, but only hand and fingers touch anything.
// Fingers are one box each in place of a mesh and five small boxes.
void SimplifyGripper(mjSpec* spec, Look look) {
  std::vector<mjsElement*> unwanted;
  for (mjsElement* element : Elements(spec, mjOBJ_GEOM)) {
    mjsGeom* geom = mjs_asGeom(element);
    const std::string body = NameOf(mjs_getParent(element)->element);
    const bool finger = body == "left_finger" || body == "right_finger";
    if (geom->group == kRobotVisualGroup) {
      if (look == Look::kFast) unwanted.push_back(element);
    } else if (finger) {
      unwanted.push_back(element);
    } else {
      SetTouch(body == "hand" ? Touch::kGripper : Touch::kNothing, geom);
      SetColour(body == "hand" ? Rgb{0.22f, 0.22f, 0.25f} : Rgb{0.88f, 0.89f, 0.9f}, geom);
    }
  }
  for (mjsElement* element : unwanted) mjs_delete(spec, element);
  for (const char* finger : {"left_finger", "right_finger"}) {
    mjsGeom* pad =
        AddGeom(mjs_findBody(spec, finger), {.name = std::string(finger) + "_pad",
                                             .position = {0, 0.00475, 0.0335},
                                             .size = {kFingerHalfDepth_m, 0.00475, 0.0195},
                                             .colour = {0.12f, 0.12f, 0.14f},
                                             .touch = Touch::kGripper});
    pad->group = kRobotCollisionGroup;
    pad->friction[0] = 1.0;
  }
}

// Meshes that nothing shows would still be read from disk (30 MB).
void DeleteVisualMeshes(mjSpec* spec) {
  for (mjsElement* element : Elements(spec, mjOBJ_MESH)) {
    const std::string name = NameOf(element);
    const bool collision = name.find("_c") != std::string::npos;
    if (!collision) mjs_delete(spec, element);
  }
}

// The stock gripper (100 N/m) closes in 0.3 s and slips: a stiffer, critically damped one.
void StiffenGripper(mjSpec* spec) {
  mjsActuator* gripper = mjs_asActuator(mjs_findElement(spec, mjOBJ_ACTUATOR, "actuator8"));
  const double stiffness = 2000;
  gripper->gainprm[0] = stiffness * 0.04 / 255.0;
  gripper->biasprm[1] = -stiffness;
  gripper->biasprm[2] = -40;
}

void ConfigureRobot(mjSpec* spec, Look look) {
  for (mjsElement* element : Elements(spec, mjOBJ_BODY)) mjs_asBody(element)->gravcomp = 1;
  for (mjsElement* element : Elements(spec, mjOBJ_KEY)) mjs_delete(spec, element);
  for (mjsElement* element : Elements(spec, mjOBJ_LIGHT)) mjs_delete(spec, element);
  SimplifyGripper(spec, look);
  if (look == Look::kFast) DeleteVisualMeshes(spec);
  StiffenGripper(spec);
  mjsSite* tip = mjs_addSite(mjs_findBody(spec, "hand"), nullptr);
  mjs_setName(tip->element, "tip");
  // Level with the finger ends (docs/reference/formats.md 1.6).
  tip->pos[2] = 0.112;
}

void AddSurroundings(mjSpec* spec) {
  mjsBody* world = mjs_findBody(spec, "world");
  mjsGeom* contact_plane =
      AddGeom(world, {.name = "table_contact", .type = mjGEOM_PLANE, .size = {2, 2, 1}});
  contact_plane->conaffinity = kGripperBit | kMovableBit;
  contact_plane->friction[0] = 1.0;
  contact_plane->group = kHiddenGroup;
  AddGeom(world, {.name = "table", .position = {0.45, 0, -0.02}, .size = {0.65, 0.65, 0.02}});
  AddGeom(world, {.name = "floor",
                  .type = mjGEOM_PLANE,
                  .position = {0, 0, -0.5},
                  .size = {12, 12, 1},
                  .colour = {0.32f, 0.34f, 0.38f}});
  for (int view = 0; view < kNumViews; ++view) {
    mjsCamera* camera = mjs_addCamera(world, nullptr);
    mjs_setName(camera->element, ("view" + std::to_string(view)).c_str());
    camera->fovy = kFovy_deg;
  }
  mjsLight* sun = mjs_addLight(world, nullptr);
  mjs_setName(sun->element, "sun");
  sun->type = mjLIGHT_DIRECTIONAL;
  sun->castshadow = 1;
  for (int i = 0; i < 3; ++i) {
    sun->diffuse[i] = 0.55f;
    sun->specular[i] = 0.1f;
  }
}

void SetOptions(mjSpec* spec, Look look, int image_size) {
  spec->option.timestep = 0.002;
  spec->option.integrator = mjINT_IMPLICITFAST;
  spec->option.cone = mjCONE_ELLIPTIC;
  spec->option.impratio = 10;
  mjVisual& visual = spec->visual;
  for (int i = 0; i < 3; ++i) {
    visual.headlight.ambient[i] = 0.35f;
    visual.headlight.diffuse[i] = 0.3f;
    visual.headlight.specular[i] = 0.0f;
  }
  spec->stat.extent = 1.0;
  visual.map.znear = 0.05f;
  visual.map.zfar = 20.0f;
  visual.map.shadowclip = 1.6f;
  visual.global.offwidth = image_size;
  visual.global.offheight = image_size;
  visual.quality.offsamples = 4;
  visual.quality.shadowsize = look == Look::kFull ? 4096 : 0;
  if (look == Look::kFast) {
    visual.quality.numslices = 16;
    visual.quality.numstacks = 8;
  }
}

}  // namespace

mjsBody* AddBody(mjsBody* parent, const std::string& name) {
  mjsBody* body = mjs_addBody(parent, nullptr);
  mjs_setName(body->element, name.c_str());
  return body;
}

mjsGeom* AddGeom(mjsBody* body, const GeomSpec& spec) {
  mjsGeom* geom = mjs_addGeom(body, nullptr);
  mjs_setName(geom->element, spec.name.c_str());
  geom->type = spec.type;
  for (int i = 0; i < 3; ++i) {
    geom->pos[i] = spec.position[i];
    geom->size[i] = spec.size[i];
  }
  SetColour(spec.colour, geom);
  SetTouch(spec.touch, geom);
  geom->mass = spec.mass_kg;
  geom->group = kSceneGroup;
  return geom;
}

mjsGeom* AddBlock(mjsBody* world, GeomSpec spec) {
  mjsBody* body = AddBody(world, spec.name);
  mjs_addFreeJoint(body);
  spec.touch = Touch::kMovable;
  mjsGeom* geom = AddGeom(body, spec);
  geom->condim = 4;
  return geom;
}

void AddJoint(mjsBody* body, const JointSpec& spec) {
  mjsJoint* joint = mjs_addJoint(body, nullptr);
  mjs_setName(joint->element, spec.name.c_str());
  joint->type = spec.type;
  for (int i = 0; i < 3; ++i) joint->axis[i] = spec.axis[i];
  joint->limited = mjLIMITED_TRUE;
  joint->range[0] = spec.lowest;
  joint->range[1] = spec.highest;
  joint->stiffness = spec.stiffness;
  joint->damping = spec.damping;
  joint->frictionloss = spec.friction_loss;
  joint->armature = spec.armature;
}

ModelPtr BuildModel(const Task& task, const std::filesystem::path& panda_dir, Look look,
                    int image_size, int num_distractors) {
  const std::filesystem::path file = panda_dir / "panda.xml";
  if (!std::filesystem::is_regular_file(file)) {
    throw ConfigError({.where = "AIM_PANDA_DIR",
                       .got = panda_dir.empty() ? "not set" : "\"" + panda_dir.string() + "\"",
                       .expected = "the folder that holds panda.xml of the Franka Emika Panda",
                       .fix = "run scripts/setup, or set AIM_PANDA_DIR to the menagerie's "
                              "franka_emika_panda folder"});
  }
  CatchMujocoFaults();
  std::array<char, 500> error{};
  const SpecPtr spec(
      mj_parseXML(file.c_str(), nullptr, error.data(), static_cast<int>(error.size())));
  if (!spec) {
    throw ConfigError({.where = file.string(),
                       .got = std::string("refused by MuJoCo (") + error.data() + ")",
                       .expected = "the menagerie's panda.xml",
                       .fix = "run scripts/setup"});
  }
  ConfigureRobot(spec.get(), look);
  AddSurroundings(spec.get());
  mjsBody* world = mjs_findBody(spec.get(), "world");
  task.AddObjects(world);
  AddDistractors(world, num_distractors);
  SetOptions(spec.get(), look, image_size);
  ModelPtr model(mj_compile(spec.get(), nullptr));
  if (!model) {
    throw ConfigError({.where = file.string(),
                       .got = std::string("refused by MuJoCo (") + mjs_getError(spec.get()) + ")",
                       .expected = "the unmodified Franka Emika Panda of the menagerie",
                       .fix = "run scripts/setup"});
  }
  return model;
}

}  // namespace aim
