// A model in TensorFlow.js with its WebAssembly backend: node benchmarks/tfjs_peer.cjs FOLDER MODEL
// FOLDER has node_modules with @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm. Prints a line of probabilities of a
// tensor, then JSON: milliseconds of warm ones. Images are not decoded, which would take longer.
const { createRequire } = require('node:module');
const fs = require('node:fs');
const path = require('node:path');

const [folder, model] = process.argv.slice(2).map((name) => path.resolve(name));
const load = createRequire(path.join(folder, 'here.js'));
const tf = load('@tensorflow/tfjs');
const wasm = load('@tensorflow/tfjs-backend-wasm');

async function main() {
  wasm.setWasmPaths(path.join(folder, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'));
  await tf.setBackend('wasm');
  await tf.ready();
  const document = JSON.parse(fs.readFileSync(path.join(model, 'model.json'), 'utf8'));
  const [group] = document.weightsManifest;
  const data = Buffer.concat(group.paths.map((name) => fs.readFileSync(path.join(model, name))));
  const weightData = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const artifacts = { modelTopology: document.modelTopology, weightSpecs: group.weights, weightData };
  const network = await tf.loadLayersModel({ load: async () => artifacts });
  const predict = () => tf.tidy(() => network.predict(tf.ones([1, 224, 224, 3])).dataSync());
  console.log('tensor,' + Array.from(predict()).join(','));
  const times = [];
  for (let run = 0; run < 12; run++) {
    const begin = performance.now();
    predict();
    if (run >= 2) times.push(performance.now() - begin);
  }
  console.log(JSON.stringify(times));
}

main();
