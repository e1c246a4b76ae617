// shaders: what is known of a place on the cortex, its colour at a time, and the channels ------
const PLACE_VERTEX = `#version 300 es
in vec3 pial; in vec3 pialNormal; in vec3 inflated; in vec3 inflatedNormal;
in vec4 times; in vec3 shares; in vec3 look;
uniform mat4 view; uniform mat3 turned; uniform float morph; uniform float surgery;
out vec3 normal; out vec4 course; out float depth; out float start; flat out int flags;
void main() {
  gl_Position = view * vec4(mix(pial, inflated, morph), 1.0);
  normal = turned * mix(pialNormal, inflatedNormal, morph);
  course = vec4(surgery > 0.5 ? times.zw : times.xy, surgery > 0.5 ? shares.y : shares.x, shares.z);
  depth = look.x; flags = int(look.y); start = look.z;
}`;

// course: onset, end, share of draws, median onset; start: probability that it starts nearby
const COLOUR = `
uniform float time; uniform float surgery; uniform vec2 onsets; uniform int mode; uniform float morph;
// piecewise linear, without branches
vec3 ramp(float f) {
  f = clamp(f, 0.0, 1.0) * 4.0;
  vec3 a = vec3(0.267, 0.004, 0.329), b = vec3(0.231, 0.322, 0.545), c = vec3(0.129, 0.569, 0.549), d = vec3(0.369, 0.788, 0.384), e = vec3(0.992, 0.906, 0.145);
  return a + (b - a) * min(f, 1.0) + (c - b) * clamp(f - 1.0, 0.0, 1.0) + (d - c) * clamp(f - 2.0, 0.0, 1.0) + (e - d) * max(f - 3.0, 0.0);
}
vec3 since(float f) {
  f = clamp(f, 0.0, 1.0) * 3.0;
  vec3 a = vec3(1.0, 0.953, 0.627), b = vec3(0.992, 0.714, 0.235), c = vec3(0.886, 0.314, 0.169), d = vec3(0.561, 0.114, 0.227);
  return a + (b - a) * min(f, 1.0) + (c - b) * clamp(f - 1.0, 0.0, 1.0) + (d - c) * max(f - 2.0, 0.0);
}
vec3 coloured(vec4 course, float depth, int flags, float light, float start) {
  vec3 ground = mix(vec3(0.86, 0.855, 0.835), vec3(0.62, 0.62, 0.61), depth * mix(0.45, 1.0, morph));
  vec3 taken = vec3(0.29, 0.31, 0.335), base = ground;
  if ((flags & 4) != 0) base = vec3(0.90);
  else if (surgery > 0.5 && (flags & 1) != 0) base = taken;
  else if (mode == 0) {
    if (time >= course.x && time < course.y) base = since((time - course.x) / 10.0);
    else if (time >= course.y) base = mix(ground, vec3(0.55, 0.525, 0.66), 0.75);
    else if ((flags & 2) != 0) base = vec3(0.18, 0.62, 0.82);
  } else if (mode == 1) base = mix(ground, ramp(course.z), clamp(course.z * 4.0, 0.0, 1.0));
  else if (mode == 3) base = mix(ground, ramp(start), clamp(start * 4.0, 0.0, 1.0));
  else if (course.w < 1.0e8) base = ramp((onsets.y - course.w) / max(onsets.y - onsets.x, 0.001));
  if (surgery < 0.5 && (flags & 1) != 0) base = mix(base, taken, 0.25);
  return base * (0.42 + 0.58 * light);
}`;

const FRAGMENT_INPUT = `#version 300 es
precision highp float; precision highp int;
in vec3 normal; in vec4 course; in float depth; in float start; flat in int flags;`;

// the picture from the triangles
const SURFACE_FRAGMENT = `${FRAGMENT_INPUT}
out vec4 colour;${COLOUR}
void main() { colour = vec4(coloured(course, depth, flags, abs(normalize(normal).z), start), 1.0); }`;

// the same, not coloured yet: what is known of each pixel
const KNOWN_FRAGMENT = `${FRAGMENT_INPUT}
layout(location = 0) out vec4 courseOut; layout(location = 1) out vec4 lookOut;
void main() { courseOut = course; lookOut = vec4(depth, float(flags), abs(normalize(normal).z), 1.0 + start); }`;

// pictures of the whole screen: from what is known of each pixel, and a copy
const WHOLE_VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;
const WHOLE_FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
uniform sampler2D courses; uniform sampler2D looks;
out vec4 colour;${COLOUR}
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 look = texelFetch(looks, at, 0);
  if (look.w == 0.0) discard;
  colour = vec4(coloured(texelFetch(courses, at, 0), look.x, int(look.y), look.z, look.w - 1.0), 1.0);
}`;

const COPY_FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D picture; out vec4 colour;
void main() { colour = texelFetch(picture, ivec2(gl_FragCoord.xy), 0); }`;

const CHANNEL_VERTEX = `#version 300 es
in vec3 place; in float onset; uniform mat4 view; uniform float time; uniform float size; out float lit;
void main() { gl_Position = view * vec4(place, 1.0); gl_PointSize = size; lit = time >= onset ? 1.0 : 0.0; }`;
const CHANNEL_FRAGMENT = `#version 300 es
precision highp float;
in float lit; out vec4 colour;
void main() {
  float r = length(gl_PointCoord - 0.5);
  if (r > 0.5) discard;
  vec3 inner = lit > 0.5 ? vec3(0.91, 0.52, 0.23) : vec3(1.0);
  colour = vec4(r > 0.36 ? vec3(0.11, 0.15, 0.2) : inner, lit > 0.5 ? 0.95 : 0.45);
}`;
