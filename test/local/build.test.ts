/** The two programs of `npm run build`, each run where nothing else is. */

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'keyturn-build-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
beforeAll(() => {
  execFileSync(process.execPath, ['--import', 'tsx', 'local/build.ts'], { cwd: ROOT, stdio: 'pipe' })
})

/** Runs a program in a directory that holds nothing else. */
function run(program: string, ...args: string[]): string {
  const alone = join(directory, program)
  copyFileSync(join(ROOT, 'dist', program), alone)
  return execFileSync(alone, args, { cwd: directory, encoding: 'utf8' })
}

test('builds the signer as one executable file', () => {
  expect(run('keyturn-signer', '--help')).toContain('approve-device')
})

test('builds the approver’s program as one executable file', () => {
  expect(run('keyturn-approve', '--help')).toContain('keyturn-approve')
})
