// graphql/dataloader, measured as loading.py measures ours: each line on stdin is a way, the keys of
// a batch and the number of batches; each line on stdout the seconds that they took.
const DataLoader = require('dataloader');
const readline = require('readline');

const echo = async (keys) => keys;
const ways = {
  gathered: (loader, keys) => Promise.all(keys.map((key) => loader.load(key))),
  many: (loader, keys) => loader.loadMany(keys),
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const [way, size, batches] = line.split(' ');
  const keys = Array.from({ length: Number(size) }, (_, key) => key);
  let seconds = 0;
  for (let batch = 0; batch < Number(batches); batch += 1) {
    const loader = new DataLoader(echo);
    const begin = process.hrtime.bigint();
    await ways[way](loader, keys);
    seconds += Number(process.hrtime.bigint() - begin) / 1e9;
  }
  process.stdout.write(`${seconds}\n`);
});
