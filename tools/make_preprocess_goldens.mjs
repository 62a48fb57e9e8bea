// Writes tests/goldens/preprocess.json: what the OpenCV.js that WebIPred uses makes of formula images.
//   node make_preprocess_goldens.mjs NODE_FOLDER
// NODE_FOLDER is a folder in which @techstark/opencv-js 4.6.0-release.1 is installed.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const RELEASE = '4.6.0-release.1';
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];
const CASES = [ // name, height, width, channels, target height, target width
  ['down', 300, 400, 3, 224, 224],
  ['up', 50, 61, 3, 224, 224],
  ['odd sizes', 97, 131, 3, 53, 47],
  ['one pixel', 1, 1, 3, 16, 16],
  ['one row', 1, 40, 3, 12, 9],
  ['one column', 40, 1, 3, 9, 12],
  ['same size', 64, 48, 3, 64, 48],
  ['exactly 2:1', 96, 128, 3, 48, 64],
  ['exactly 1:2', 24, 32, 3, 48, 64],
  ['exactly 4:1', 96, 128, 3, 24, 32],
  ['2:1 along y only', 96, 50, 3, 48, 64],
  ['2:1 along x only', 50, 128, 3, 48, 64],
  ['one row off', 225, 223, 3, 224, 224],
  ['to one pixel', 33, 17, 3, 1, 1],
  ['very wide', 9, 700, 3, 32, 32],
  ['very tall', 700, 9, 3, 32, 32],
  ['large', 767, 1022, 3, 299, 299],
  ['RGBA down', 120, 90, 4, 64, 80],
  ['RGBA up', 20, 30, 4, 64, 80],
  ['RGBA odd sizes', 97, 131, 4, 53, 47],
  ['RGBA one pixel', 1, 1, 4, 16, 16],
  ['RGBA exactly 2:1', 96, 128, 4, 48, 64],
  ['grey down', 120, 90, 1, 64, 80],
  ['grey up', 20, 30, 1, 64, 80],
  ['grey odd sizes', 97, 131, 1, 53, 47],
  ['grey one pixel', 1, 1, 1, 16, 16],
  ['grey exactly 2:1', 96, 128, 1, 48, 64],
];

const [folder] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, 'index.js'));
const manifest = path.join(folder, 'node_modules', '@techstark', 'opencv-js', 'package.json');
const { version } = JSON.parse(fs.readFileSync(manifest, 'utf8'));
if (version !== RELEASE) throw new Error(`@techstark/opencv-js ${RELEASE} is needed, not ${version}`);
const cv = require('@techstark/opencv-js');
await new Promise(done => { if (cv.getBuildInformation) done(); else cv.onRuntimeInitialized = () => done(); });

// The first value of each pixel, RGB, as a browser shows grey and drops alpha; the formula is that of the tests.
function image(height, width, channels) {
  const values = [];
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let i = 0; i < 3; i++) {
    const c = channels === 1 ? 0 : i;
    const texture = (x * y + 5 * c) % 31 * 4 + ((x ^ (y + c)) & 15) * 9;
    const check = 90 * ((Math.floor(x / 7) + Math.floor(y / 5)) % 2);
    values.push((3 * x + 2 * y + 40 * c + texture + check) % 256);
  }
  return values;
}

const sha256 = values => createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex');

function resized(values, height, width, targetHeight, targetWidth, type) {
  const from = cv.matFromArray(height, width, type, values);
  const to = new cv.Mat();
  cv.resize(from, to, new cv.Size(targetWidth, targetHeight), 0, 0, cv.INTER_LINEAR);
  from.delete();
  return to;
}

function standardised(mat) {
  const all = values => {
    const repeated = Array.from({ length: mat.rows * mat.cols }, () => values).flat();
    return cv.matFromArray(mat.rows, mat.cols, cv.CV_32FC3, repeated);
  };
  const [scale, mean, std] = [all([255, 255, 255]), all(MEAN), all(STD)];
  cv.divide(mat, scale, mat);
  cv.subtract(mat, mean, mat);
  cv.divide(mat, std, mat);
  [scale, mean, std].forEach(each => each.delete());
  return mat;
}

const lines = CASES.map(([name, height, width, channels, targetHeight, targetWidth]) => {
  const values = image(height, width, channels);
  const exact = resized(values, height, width, targetHeight, targetWidth, cv.CV_32FC3);
  const whole = resized(values, height, width, targetHeight, targetWidth, cv.CV_8UC3);
  const result = {
    name, height, width, channels, target_height: targetHeight, target_width: targetWidth,
    sha256_resized: sha256(Float32Array.from(exact.data32F)),
    sha256_standardised: sha256(Float32Array.from(standardised(exact).data32F)),
    sha256_eight_bit: sha256(Uint8Array.from(whole.data)),
  };
  exact.delete();
  whole.delete();
  return `  ${JSON.stringify(result)}`;
});

const about = `What OpenCV.js (@techstark/opencv-js ${RELEASE}, INTER_LINEAR), which WebIPred uses, makes of \
image(height, width, channels) of tests/imaging/test_preprocess.py: SHA-256 of rows x columns x RGB; resized as \
float32 little endian, then (x/255 - mean)/std, and resized as 8-bit whole numbers. Made by \
tools/make_preprocess_goldens.mjs.`;
const goldens = path.join(import.meta.dirname, '..', 'tests', 'goldens', 'preprocess.json');
fs.writeFileSync(goldens, `{\n "about": ${JSON.stringify(about)},\n "cases": [\n${lines.join(',\n')}\n ]\n}\n`);
