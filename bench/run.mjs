/** Entry of `npm run bench`: plain JavaScript, so that it can run before anything is installed. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
process.chdir(root)
if (!existsSync(join(root, 'node_modules', 'tsx'))) {
  const installed = spawnSync('npm', ['ci'], { cwd: root, stdio: 'inherit' })
  if (installed.status !== 0) process.exit(installed.status ?? 1)
}
// In this process, so that a signal reaches who has to act on it.
const { register } = await import('tsx/esm/api')
register()
await import('./run.ts')
