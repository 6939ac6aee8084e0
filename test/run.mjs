/**
 * `npm test`: installs what is missing, runs every check, and ends with one line that counts them.
 * `npm test -- test/api` runs the test files under a path only, and every other check.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install } from '../local/install.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
install()

/** Files that start a part. Test files that import one, directly or not, are left out where the part cannot be installed. */
const STARTED_BY = {
  anvil: 'test/support/anvil.ts',
  bitcoin: 'test/support/btcd.ts',
  litecoin: 'test/support/litecoind.ts',
  'time-skipping': 'test/support/time-skipping.ts',
  chromium: 'test/support/chromium.ts',
  swtpm: 'test/support/swtpm.ts',
}

const total = { passed: 0, failed: 0, skipped: 0 }
const bin = (name) => join('node_modules', '.bin', name)

/** Runs a check that counts as one. */
function check(name, command, args) {
  const began = Date.now()
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  const seconds = ((Date.now() - began) / 1_000).toFixed(1)
  const passed = status === 0
  total[passed ? 'passed' : 'failed'] += 1
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`)
  if (!passed) console.log(`${stdout}${stderr}`)
}

console.log('Finding the real parts …')
const prepared = spawnSync(process.execPath, ['--import', 'tsx', 'local/prepare.ts'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
})
if (prepared.status !== 0) {
  console.log('0 passed, 1 failed')
  process.exit(1)
}
const missing = JSON.parse(prepared.stdout)

check('types', bin('tsc'), ['--noEmit'])
check('format and lint', bin('biome'), ['check', '.'])
check('dead code and dependencies', bin('knip'), [])
check('build', process.execPath, ['--import', 'tsx', 'local/build.ts'])

/** Returns a file and the files below `test/` that it imports, directly or not. */
function withImports(path, found = new Set()) {
  if (found.has(path) || !path.startsWith('test') || !existsSync(path)) return found
  found.add(path)
  for (const [, name] of readFileSync(path, 'utf8').matchAll(/from '(\.{1,2}\/[^']+)\.js'/g))
    withImports(join(path, '..', `${name}.ts`), found)
  return found
}

const without = missing.map((part) => STARTED_BY[part]).filter(Boolean)
const leftOut = readdirSync('test', { recursive: true })
  .map((name) => join('test', String(name)))
  .filter((path) => path.endsWith('.test.ts'))
  .filter((path) => {
    const imported = withImports(path)
    return without.some((file) => imported.has(file))
  })
for (const path of leftOut) console.log(`skip ${path}: a part of it cannot be installed here`)

const directory = mkdtempSync(join(tmpdir(), 'keyturn-run-'))
const report = join(directory, 'report.json')
const { status } = spawnSync(
  bin('vitest'),
  [
    'run',
    '--reporter=./test/support/show-failed-logs.ts',
    '--reporter=default',
    '--reporter=./test/support/show-slowest.ts',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...leftOut.flatMap((path) => ['--exclude', path]),
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
)
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  )
  // A file that does not load, or whose set-up fails, has no failed test.
  const brokenFiles = testResults.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length
  total.passed += numPassedTests
  total.failed += numFailedTests + brokenFiles
  total.skipped += numPendingTests + numTodoTests
}
total.skipped += leftOut.length
// Vitest can fail for other reasons than a test (an unhandled rejection, a run that was cut off): that is a failure too.
if (status !== 0 && total.failed === 0) total.failed += 1
rmSync(directory, { recursive: true, force: true })

console.log(
  `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`,
)
process.exit(total.failed === 0 ? 0 : 1)
