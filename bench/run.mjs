// Entry of `npm run bench`: plain JavaScript, so that it can run before anything is installed.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
if (!existsSync(join(root, 'node_modules', 'tsx'))) {
  const installed = spawnSync('npm', ['ci'], { cwd: root, stdio: 'inherit' })
  if (installed.status !== 0) process.exit(installed.status ?? 1)
}
const run = spawnSync(
  process.execPath,
  ['--import', 'tsx', join('bench', 'run.ts'), ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
)
process.exit(run.status ?? 1)
