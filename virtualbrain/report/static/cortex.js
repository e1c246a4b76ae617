"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("embedded").textContent);
  const one = (selector) => document.querySelector(selector);
  const state = { time: data.start_s, mode: 0, surgery: 0, morph: 0, azimuth: 90, elevation: 10, zoom: 1, playing: false, frames: 0, detail: 1 };
  const NEVER = 1e8, REMOVED = 1;
  root.classList.remove("plain");

  // shaders ---------------------------------------------------------------------------
  const VERTEX = `#version 300 es
  in vec3 pial; in vec3 pialNormal; in vec3 inflated; in vec3 inflatedNormal;
  in vec4 times; in vec3 shares; in vec2 look;
  uniform mat4 view; uniform mat3 turned; uniform float morph; uniform float surgery;
  out vec3 normal; out vec2 span; out float share; out float median; out float depth; flat out int flags;
  void main() {
    gl_Position = view * vec4(mix(pial, inflated, morph), 1.0);
    normal = turned * mix(pialNormal, inflatedNormal, morph);
    span = surgery > 0.5 ? times.zw : times.xy;
    share = surgery > 0.5 ? shares.y : shares.x;
    median = shares.z; depth = look.x; flags = int(look.y);
  }`;
  const FRAGMENT = `#version 300 es
  precision highp float;
  in vec3 normal; in vec2 span; in float share; in float median; in float depth; flat in int flags;
  uniform float time; uniform float surgery; uniform vec2 onsets; uniform int mode; uniform float morph;
  out vec4 colour;
  vec3 ramp(float f) {
    f = clamp(f, 0.0, 1.0) * 4.0;
    vec3 a = vec3(0.267, 0.004, 0.329), b = vec3(0.231, 0.322, 0.545), c = vec3(0.129, 0.569, 0.549), d = vec3(0.369, 0.788, 0.384), e = vec3(0.992, 0.906, 0.145);
    return f < 1.0 ? mix(a, b, f) : f < 2.0 ? mix(b, c, f - 1.0) : f < 3.0 ? mix(c, d, f - 2.0) : mix(d, e, f - 3.0);
  }
  vec3 course(float f) {
    f = clamp(f, 0.0, 1.0) * 3.0;
    vec3 a = vec3(1.0, 0.953, 0.627), b = vec3(0.992, 0.714, 0.235), c = vec3(0.886, 0.314, 0.169), d = vec3(0.561, 0.114, 0.227);
    return f < 1.0 ? mix(a, b, f) : f < 2.0 ? mix(b, c, f - 1.0) : mix(c, d, f - 2.0);
  }
  void main() {
    vec3 ground = mix(vec3(0.86, 0.855, 0.835), vec3(0.62, 0.62, 0.61), depth * mix(0.45, 1.0, morph));
    vec3 base = ground;
    if ((flags & 4) != 0) base = vec3(0.90);
    else if (surgery > 0.5 && (flags & 1) != 0) base = vec3(0.29, 0.31, 0.335);
    else if (mode == 0) {
      if (time >= span.x && time < span.y) base = course((time - span.x) / 10.0);
      else if (time >= span.y) base = mix(ground, vec3(0.55, 0.525, 0.66), 0.75);
      else if ((flags & 2) != 0) base = vec3(0.18, 0.62, 0.82);
    } else if (mode == 1) base = mix(ground, ramp(share), clamp(share * 4.0, 0.0, 1.0));
    else if (median < 1.0e8) base = ramp((onsets.y - median) / max(onsets.y - onsets.x, 0.001));
    if (surgery < 0.5 && (flags & 1) != 0) base = mix(base, vec3(0.29, 0.31, 0.335), 0.25);
    float light = abs(normalize(normal).z);
    colour = vec4(base * (0.42 + 0.58 * light), 1.0);
  }`;
  const POINT = `#version 300 es
  in vec3 place; in float onset; uniform mat4 view; uniform float time; uniform float size; out float lit;
  void main() { gl_Position = view * vec4(place, 1.0); gl_PointSize = size; lit = time >= onset ? 1.0 : 0.0; }`;
  const DOT = `#version 300 es
  precision highp float;
  in float lit; out vec4 colour;
  void main() {
    float r = length(gl_PointCoord - 0.5);
    if (r > 0.5) discard;
    vec3 inner = lit > 0.5 ? vec3(0.91, 0.52, 0.23) : vec3(1.0);
    colour = vec4(r > 0.36 ? vec3(0.11, 0.15, 0.2) : inner, lit > 0.5 ? 0.95 : 0.45);
  }`;

  // data ------------------------------------------------------------------------------
  async function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }
  function normalsOf(points, triangles) {
    const normals = new Float32Array(points.length);
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
      const u = [0, 1, 2].map((k) => points[b + k] - points[a + k]), v = [0, 1, 2].map((k) => points[c + k] - points[a + k]);
      const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normals[corner + k] += n[k];
    }
    return normals;
  }
  async function readParts() {
    const parts = [];
    for (const part of data.parts) {
      const read = async (name, kind) => new kind(await inflate(part[name]));
      const found = { pial: await read("pial", Float32Array), inflated: await read("inflated", Float32Array), triangles: await read("triangles", Uint32Array), depth: await read("depth", Float32Array), flags: await read("flags", Uint8Array), values: await read("values", Float32Array) };
      found.pialNormal = normalsOf(found.pial, found.triangles);
      found.inflatedNormal = normalsOf(found.inflated, found.triangles);
      const n = found.flags.length;
      found.times = new Float32Array(4 * n); found.shares = new Float32Array(3 * n); found.look = new Float32Array(2 * n);
      for (let i = 0; i < n; i++) {
        found.times.set(found.values.subarray(7 * i, 7 * i + 4), 4 * i);
        found.shares.set(found.values.subarray(7 * i + 4, 7 * i + 7), 3 * i);
        found.look[2 * i] = found.depth[i]; found.look[2 * i + 1] = found.flags[i];
      }
      parts.push(found);
    }
    return parts;
  }
  function centreOf(parts) {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    parts.forEach(({ pial }) => pial.forEach((value, i) => { low[i % 3] = Math.min(low[i % 3], value); high[i % 3] = Math.max(high[i % 3], value); }));
    return low.map((value, k) => (value + high[k]) / 2);
  }
  function areasOf(points, triangles) {
    const areas = new Float32Array(points.length / 3);
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
      const u = [0, 1, 2].map((k) => points[b + k] - points[a + k]), v = [0, 1, 2].map((k) => points[c + k] - points[a + k]);
      const area = Math.hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]) / 6;
      for (const corner of [a, b, c]) areas[corner / 3] += area;
    }
    return areas;
  }

  // view ------------------------------------------------------------------------------
  function matrix(width, height, centre) {
    // orthographic; azimuth 90 looks at the left side, 270 at the right, as in the report
    const a = (state.azimuth * Math.PI) / 180, e = (state.elevation * Math.PI) / 180;
    const away = [-Math.sin(a) * Math.cos(e), -Math.cos(a) * Math.cos(e), Math.sin(e)];
    const right = [Math.cos(a), -Math.sin(a), 0];
    const up = [away[1] * right[2] - away[2] * right[1], away[2] * right[0] - away[0] * right[2], away[0] * right[1] - away[1] * right[0]];
    const scale = (state.zoom / 78) * (1 - 0.12 * state.morph), sx = (scale * Math.min(1, height / width)), sy = scale * Math.min(1, width / height), sz = 1 / 300;
    const rows = [right.map((v) => v * sx), up.map((v) => v * sy), away.map((v) => -v * sz)];
    const shift = rows.map((row) => -row.reduce((sum, v, k) => sum + v * centre[k], 0));
    const turned = new Float32Array([right[0], up[0], away[0], right[1], up[1], away[1], right[2], up[2], away[2]]);
    const view = new Float32Array([rows[0][0], rows[1][0], rows[2][0], 0, rows[0][1], rows[1][1], rows[2][1], 0, rows[0][2], rows[1][2], rows[2][2], 0, ...shift, 1]);
    return [view, turned];
  }

  function program(gl, vertex, fragment) {
    const made = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source); gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
    return made;
  }
  function attribute(gl, made, name, values, size) {
    const place = gl.getAttribLocation(made, name);
    if (place < 0) return;
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
  }
  function uploaded(gl, made, parts) {
    return parts.map((part) => {
      const array = gl.createVertexArray();
      gl.bindVertexArray(array);
      for (const [name, size] of [["pial", 3], ["pialNormal", 3], ["inflated", 3], ["inflatedNormal", 3], ["times", 4], ["shares", 3], ["look", 2]]) attribute(gl, made, name, part[name], size);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, part.triangles, gl.STATIC_DRAW);
      return { array, count: part.triangles.length };
    });
  }
  function uploadedContacts(gl, made) {
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    attribute(gl, made, "place", new Float32Array(data.contacts.flatMap((c) => c.xyz)), 3);
    attribute(gl, made, "onset", new Float32Array(data.contacts.map((c) => c.onset ?? 1e9)), 1);
    return { array, count: data.contacts.length };
  }

  async function start() {
    const canvas = one("#gl");
    const gl = canvas.getContext("webgl2", { antialias: window.devicePixelRatio < 2 });
    if (!gl) return;
    const parts = await readParts(), centre = centreOf(parts);
    const areas = parts.map((part) => areasOf(part.pial, part.triangles));
    const surface = program(gl, VERTEX, FRAGMENT), dots = program(gl, POINT, DOT);
    const meshes = uploaded(gl, surface, parts), contacts = uploadedContacts(gl, dots);
    const at = (made, name) => gl.getUniformLocation(made, name);
    const places = Object.fromEntries(["view", "turned", "morph", "surgery", "time", "onsets", "mode"].map((name) => [name, at(surface, name)]));
    const dotPlaces = Object.fromEntries(["view", "time", "size"].map((name) => [name, at(dots, name)]));
    one("#viewer").hidden = false;
    one("#no-viewer").hidden = true;
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0.945, 0.953, 0.957, 1);

    function draw() {
      const ratio = (window.devicePixelRatio || 1) * state.detail, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
      if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
      const [view, turned] = matrix(width, height, centre);
      gl.viewport(0, 0, width, height);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.useProgram(surface);
      gl.uniformMatrix4fv(places.view, false, view);
      gl.uniformMatrix3fv(places.turned, false, turned);
      gl.uniform1f(places.morph, state.morph); gl.uniform1f(places.surgery, state.surgery); gl.uniform1f(places.time, state.time);
      gl.uniform2f(places.onsets, ...data.onsets_s); gl.uniform1i(places.mode, state.mode);
      meshes.forEach(({ array, count }) => { gl.bindVertexArray(array); gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, 0); });
      if (one("#contacts").checked && state.morph < 0.05 && contacts.count) {
        gl.useProgram(dots);
        gl.uniformMatrix4fv(dotPlaces.view, false, view); gl.uniform1f(dotPlaces.time, state.time); gl.uniform1f(dotPlaces.size, 9 * ratio * Math.sqrt(state.zoom));
        gl.disable(gl.DEPTH_TEST); gl.enable(gl.BLEND);
        gl.bindVertexArray(contacts.array); gl.drawArrays(gl.POINTS, 0, contacts.count);
        gl.disable(gl.BLEND); gl.enable(gl.DEPTH_TEST);
      }
      state.frames += 1;
    }

    // one frame for all changes since the last
    let waiting = false, resting = 0;
    function redraw() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame((now) => { waiting = false; adapt(now); draw(); });
    }
    // without a graphics card: fewer pixels while the picture moves, all of them when it rests
    let last = 0, slow = 0;
    function adapt(now) {
      const took = now - last;
      last = now;
      slow = took > 34 && took < 1000 ? slow + 1 : took >= 1000 ? slow : Math.max(0, slow - 0.2);
      if (slow > 3 && state.detail > 0.3) { state.detail = Math.max(0.3, state.detail * 0.7); slow = 0; }
      clearTimeout(resting);
      resting = setTimeout(() => {
        if (state.playing || state.detail === 1) return;
        const moving = state.detail;
        state.detail = 1; draw(); state.detail = moving;
      }, 250);
    }
    const slider = one("#time"), span = data.stop_s - data.start_s;
    slider.max = String(Math.round(span * 20));
    function seizingArea() {
      let area = 0;
      const first = state.surgery ? 2 : 0;
      parts.forEach((part, p) => {
        for (let i = 0; i < part.flags.length; i++) {
          if (state.surgery && part.flags[i] & REMOVED) continue;
          const onset = part.times[4 * i + first];
          if (onset < NEVER && state.time >= onset && state.time < part.times[4 * i + first + 1]) area += areas[p][i];
        }
      });
      return area / 100;
    }
    function showTime(show = redraw) {
      slider.value = String(Math.round((state.time - data.start_s) * 20));
      one("#clock").textContent = `${state.time.toFixed(1)} s`;
      one("#area").textContent = `${seizingArea().toFixed(1)} cm² seizing`;
      show();
    }
    slider.addEventListener("input", () => { state.time = data.start_s + Number(slider.value) / 20; showTime(); });
    let before = 0;
    function advance(now) {
      if (!state.playing) return;
      state.time += (Math.min(now - before, 100) / 1000) * Number(one("#speed").value);
      before = now;
      adapt(now);
      if (state.time >= data.stop_s) { state.time = data.stop_s; play(false); }
      showTime(draw);
      requestAnimationFrame(advance);
    }
    function play(on) {
      state.playing = on;
      one("#play").textContent = on ? "Pause" : "Play";
      one("#play").setAttribute("aria-pressed", String(on));
      if (!on) return;
      if (state.time >= data.stop_s) state.time = data.start_s;
      before = performance.now();
      requestAnimationFrame(advance);
    }
    one("#play").addEventListener("click", () => play(!state.playing));

    one("#mode").addEventListener("change", (event) => {
      state.mode = Number(event.target.value);
      [0, 1, 2].forEach((mode) => { one(`#legend-${mode}`).hidden = mode !== state.mode; });
      redraw();
    });
    one("#latest").textContent = `${data.onsets_s[1].toFixed(1)} s`;
    one("#earliest").textContent = `${data.onsets_s[0].toFixed(1)} s`;
    const surgery = one("#surgery");
    if (surgery) surgery.addEventListener("change", () => { state.surgery = Number(surgery.value); showTime(); });
    one("#morph").addEventListener("input", (event) => { state.morph = Number(event.target.value) / 100; redraw(); });
    one("#contacts").addEventListener("change", redraw);

    const looks = { left: [90, 0], right: [270, 0], top: [0, 90], bottom: [0, -90], front: [180, 0], back: [0, 0] };
    const letters = document.querySelectorAll(".stage .side");
    function turn(azimuth, elevation) {
      state.azimuth = ((azimuth % 360) + 360) % 360;
      state.elevation = Math.min(90, Math.max(-90, elevation));
      // letters where the left side of the picture is a side of the patient
      const across = Math.cos((state.azimuth * Math.PI) / 180);
      const [first, last] = Math.abs(across) < 0.5 ? ["", ""] : across > 0 ? ["L", "R"] : ["R", "L"];
      letters[0].textContent = first; letters[1].textContent = last;
      redraw();
    }
    document.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => turn(...looks[button.dataset.view])));
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) turn(state.azimuth + event.movementX * 0.5, state.elevation + event.movementY * 0.5);
    });
    const zoom = (factor) => { state.zoom = Math.min(8, Math.max(0.5, state.zoom * factor)); redraw(); };
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1); }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[event.key];
      if (moves) { event.preventDefault(); turn(state.azimuth + moves[0], state.elevation + moves[1]); }
      if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.15 : 1 / 1.15);
    });
    window.addEventListener("resize", redraw);
    // begin where the seizure is seen: the side with more cortex that seizes, shortly after its start
    const bySide = parts.map((part) => part.times.reduce((n, value, i) => n + (i % 4 === 0 && value < NEVER ? 1 : 0), 0));
    turn(...(bySide[1] > bySide[0] ? looks.right : looks.left));
    state.time = Math.min(data.stop_s, data.onsets_s[0] + 2);
    showTime();
    draw();
    window.cortex = { state, play, draw, gl, seizingArea };
  }
  start();
})();
