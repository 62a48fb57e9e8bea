// Predicts small models with TensorFlow.js. Called by make_goldens.py:
//   node make_goldens.mjs NODE_FOLDER CASES.json OUTPUTS.json
// NODE_FOLDER is a folder in which @tensorflow/tfjs 4.22 is installed.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [folder, casesFile, outputsFile] = process.argv.slice(2);
console.warn = () => {}; // TensorFlow.js advertises its native backend there
const tf = createRequire(path.resolve(folder, 'index.js'))('@tensorflow/tfjs');
if (!tf.version.tfjs.startsWith('4.22.')) throw new Error(`TensorFlow.js 4.22 is needed, not ${tf.version.tfjs}`);
await tf.setBackend('cpu');

const outputs = {};
for (const [name, { topology, weights, input }] of Object.entries(JSON.parse(fs.readFileSync(casesFile, 'utf8')))) {
  const data = new Float32Array(Object.values(weights).flatMap(w => w.values));
  const weightSpecs = Object.entries(weights).map(([key, w]) => ({ name: key, shape: w.shape, dtype: 'float32' }));
  const modelTopology = { class_name: topology.class_name, config: topology.config };
  try {
    const model = await tf.loadLayersModel({ load: async () => ({ modelTopology, weightSpecs, weightData: data.buffer }) });
    const made = model.predict(tf.tensor(input.values, input.shape, 'float32'));
    const last = Array.isArray(made) ? made[made.length - 1] : made;
    outputs[name] = { shape: last.shape, values: Array.from(last.dataSync()) };
  } catch (error) {
    throw new Error(`TensorFlow.js refuses the case ${name}: ${error.message}`);
  }
}
fs.writeFileSync(outputsFile, JSON.stringify(outputs));
