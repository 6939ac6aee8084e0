/** A run of tests shows the output of the files that failed, and no other. */

import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { fileLog } from './file-log.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = join(ROOT, 'node_modules', '.cache', 'keyturn')
mkdirSync(CACHE, { recursive: true })
const directory = mkdtempSync(join(CACHE, 'quiet-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const support = (name: string) => JSON.stringify(join(ROOT, 'test', 'support', name))

/** Runs Vitest on files of their own, with our processes and reporters. @returns What a person sees. */
function run(files: Readonly<Record<string, string>>): string {
  for (const [name, code] of Object.entries(files)) writeFileSync(join(directory, name), code)
  writeFileSync(
    join(directory, 'vitest.config.ts'),
    `import { quietForks } from ${JSON.stringify(pathToFileURL(join(ROOT, 'test/support/quiet-forks.ts')).href)}
     export default { root: ${JSON.stringify(directory)}, test: {
       pool: quietForks, disableConsoleIntercept: true, include: ['*.test.ts'],
       reporters: [${support('show-failed-logs.ts')}, 'default', ${support('show-slowest.ts')}],
       setupFiles: [${support('show-part-logs.ts')}],
     } }`,
  )
  // One file takes both streams, as a terminal does.
  const output = join(directory, 'output')
  const stream = openSync(output, 'w')
  spawnSync(
    process.execPath,
    [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--config', join(directory, 'vitest.config.ts')],
    {
      cwd: directory,
      stdio: ['ignore', stream, stream],
      env: { ...process.env, NO_COLOR: '1', CI: '', VITEST: '' },
    },
  )
  closeSync(stream)
  for (const name of Object.keys(files)) rmSync(fileLog(join(directory, name)), { force: true })
  return readFileSync(output, 'utf8')
}

const printing = (text: string, result: string) => `
  import { writeSync } from 'node:fs'
  import { expect, test } from 'vitest'
  test('${text}', () => {
    console.log('${text} by console')
    process.stderr.write('${text} by stream\\n')
    writeSync(2, '${text} by descriptor\\n')
    expect(true).toBe(${result})
  })`

test('shows what a failed file wrote, in any way, and nothing of those that passed', () => {
  const output = run({
    'bad.test.ts': printing('bad', 'false'),
    'broken.test.ts': `console.log('broken by console'); throw new Error('it does not load')`,
    ...Object.fromEntries([1, 2, 3, 4].map((n) => [`good${n}.test.ts`, printing('good', 'true')])),
  })
  for (const way of ['console', 'stream', 'descriptor']) {
    expect(output).toContain(`  bad by ${way}`)
    expect(output).not.toContain(`good by ${way}`)
  }
  expect(output).toContain('  broken by console')
  // The failures come after the output, and the slowest files at the end.
  expect(output.indexOf('bad by console')).toBeLessThan(output.indexOf('AssertionError'))
  expect(output).toMatch(/AssertionError[\s\S]*Slowest of 6 files/)
  expect(output).toMatch(/\d+\.\d s +\d+\.\d % {2}good1\.test\.ts/)
}, 120_000)
