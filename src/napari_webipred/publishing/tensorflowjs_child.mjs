// Runs a model with TensorFlow.js, in a process of its own; see napari_webipred/publishing/tensorflowjs.py.
// It reads a line of JSON, the weights and the prepared pictures from standard input, and writes JSON to standard output.
import { createRequire } from 'node:module';
import { readFileSync, writeSync } from 'node:fs';
import path from 'node:path';

const given = readFileSync(0);
const end = given.indexOf(10);
const asked = JSON.parse(given.subarray(0, end).toString('utf8'));
const bytes = given.buffer.slice(given.byteOffset + end + 1, given.byteOffset + given.length);
for (const name of ['log', 'warn', 'error', 'info']) console[name] = () => {};

// The user's own packages: below a folder, or wherever Node looks for them by itself (NODE_PATH). Never in the folder
// in which the user happens to be: that may be a model, which could bring a package of this name.
const require = createRequire(asked.packages === null ? import.meta.url : path.join(asked.packages, 'index.js'));

async function answer() {
  const tf = require('@tensorflow/tfjs');
  let backend = 'cpu';
  try {
    const wasm = require('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + path.sep);
    if (await tf.setBackend('wasm')) backend = 'wasm';
  } catch {
    backend = 'cpu';
  }
  await tf.setBackend(backend);
  await tf.ready();
  const stored = {
    ...asked.document, weightSpecs: asked.specs, weightData: bytes.slice(0, asked.weights),
  };
  const open = asked.graph ? tf.loadGraphModel : tf.loadLayersModel;
  const model = await open({ load: async () => stored });
  const [count, height, width, channels] = asked.shape;
  const values = new Float32Array(bytes.slice(asked.weights));
  const size = height * width * channels;
  const numbers = [];
  for (let i = 0; i < count; i++) {
    const row = tf.tidy(() => {
      let x = tf.tensor(values.slice(i * size, (i + 1) * size), [1, height, width, channels], 'float32');
      const shape = model.inputs[0].shape ?? [];
      if (shape.length === 3) x = x.squeeze([3]);
      if (shape.length === 4 && shape[1] === channels && shape[3] !== channels) x = x.transpose([0, 3, 1, 2]);
      const y = model.predict(x);
      const all = Array.isArray(y) ? y : typeof y.dataSync === 'function' ? [y] : Object.values(y);
      return Array.from(all[all.length > 1 ? asked.output : 0].dataSync());
    });
    numbers.push(row);
  }
  return { judge: `TensorFlow.js ${tf.version.tfjs} (${backend})`, numbers };
}

let found;
try {
  found = await answer();
} catch (error) {
  const missing = error.code === 'MODULE_NOT_FOUND' && String(error.message).includes("'@tensorflow/tfjs'");
  found = missing ? { missing: true } : { refused: String(error.message).split('\n')[0].slice(0, 2000) };
}
writeSync(1, JSON.stringify(found));
