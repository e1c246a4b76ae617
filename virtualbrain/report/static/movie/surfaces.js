// surfaces of the page with their values --------------------------------------------------------
async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
// twice the area of each triangle along its normal, added up at its corners
function normalsOf(points, triangles) {
  const normals = new Float32Array(points.length);
  eachTriangle(points, triangles, (corners, n) => {
    for (const corner of corners) for (let k = 0; k < 3; k++) normals[3 * corner + k] += n[k];
  });
  return normals;
}
function areasOf(points, triangles) {
  const areas = new Float32Array(points.length / 3);
  eachTriangle(points, triangles, (corners, n) => {
    for (const corner of corners) areas[corner] += Math.hypot(...n) / 6;
  });
  return areas;
}
function eachTriangle(points, triangles, use) {
  const u = [0, 0, 0], v = [0, 0, 0];
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = triangles.subarray(t, t + 3), [a, b, c] = corners;
    for (let k = 0; k < 3; k++) { u[k] = points[3 * b + k] - points[3 * a + k]; v[k] = points[3 * c + k] - points[3 * a + k]; }
    use(corners, [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]);
  }
}
async function readPart(part) {
  const kinds = { pial: Float32Array, inflated: Float32Array, triangles: Uint32Array, depth: Float32Array, flags: Uint8Array, values: Float32Array };
  const found = {};
  for (const [name, kind] of Object.entries(kinds)) found[name] = new kind(await inflate(part[name]));
  const { pial, inflated, triangles, depth, flags, values } = found, n = flags.length;
  const times = new Float32Array(4 * n), shares = new Float32Array(3 * n), look = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    times.set(values.subarray(8 * i, 8 * i + 4), 4 * i);
    shares.set(values.subarray(8 * i + 4, 8 * i + 7), 3 * i);
    look[3 * i] = depth[i]; look[3 * i + 1] = flags[i]; look[3 * i + 2] = values[8 * i + 7];
  }
  return {
    pial, inflated, triangles, flags, times, shares, look, areas: areasOf(pial, triangles),
    pialNormal: normalsOf(pial, triangles), inflatedNormal: normalsOf(inflated, triangles),
  };
}
function centreOf(parts) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  parts.forEach(({ pial }) => pial.forEach((value, i) => { low[i % 3] = Math.min(low[i % 3], value); high[i % 3] = Math.max(high[i % 3], value); }));
  return low.map((value, k) => (value + high[k]) / 2);
}
