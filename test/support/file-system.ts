/**
 * File systems of a test's own: small ones that fill up, and ext4 on a loop device that can lose its power. Mounting
 * needs root (or sudo without a password); where that is not given the test is skipped with the reason.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

function root(command: string, ...args: readonly string[]): string {
  const options = { encoding: 'utf8', stdio: 'pipe' } as const;
  if (process.getuid?.() === 0) return execFileSync(command, args, options);
  return execFileSync('sudo', ['-n', command, ...args], options);
}

export class FileSystem {
  /** Where it is mounted. */
  readonly path: string;
  readonly #mount: readonly string[];

  private constructor(path: string, mount: readonly string[]) {
    this.path = path;
    this.#mount = mount;
  }

  /** In memory, of so many MB, at `data` of a directory; undefined (and skipped) where mounting is not allowed. */
  static memory(t: TestContext, dir: string, megabytes: number): FileSystem | undefined {
    return FileSystem.#made(t, dir, ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0777`, 'tmpfs']);
  }

  /** ext4 in a file, on a loop device; it turns read-only at an error. */
  static ext4(t: TestContext, dir: string, megabytes: number): FileSystem | undefined {
    const image = join(dir, 'image');
    writeFileSync(image, '');
    truncateSync(image, megabytes * 1024 * 1024);
    execFileSync('/usr/sbin/mkfs.ext4', [
      '-q',
      '-E',
      `root_owner=${process.getuid?.()}:${process.getgid?.()}`,
      image,
    ]);
    return FileSystem.#made(t, dir, ['-o', 'loop,errors=remount-ro', image]);
  }

  static #made(t: TestContext, dir: string, mount: readonly string[]): FileSystem | undefined {
    const path = join(dir, 'data');
    mkdirSync(path);
    const made = new FileSystem(path, mount);
    try {
      made.mount();
      return made;
    } catch (error) {
      t.skip(`no file system can be mounted here: ${(error as Error).message.trim()}`);
      return undefined;
    }
  }

  mount(): void {
    root('mount', ...this.#mount, this.path);
  }

  unmount(): void {
    root('umount', this.path);
  }

  /** Everything that was not synced is gone, as with the power; the file system answers nothing but errors. */
  cutPower(): void {
    root('xfs_io', '-x', '-c', 'shutdown', this.path);
  }

  /** ext4 finds an error in itself and turns read-only. */
  breakDown(): void {
    const device = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .find((line) => line.split(' ')[1] === this.path)!
      .split(' ')[0]!;
    root('sh', '-c', `echo 1 > /sys/fs/ext4/${device.replace('/dev/', '')}/trigger_fs_error`);
  }

  /** Checks and mends the unmounted image. */
  repair(): void {
    try {
      root('e2fsck', '-fy', this.#mount.at(-1)!);
    } catch (error) {
      // 1: errors were mended.
      if ((error as { status?: number }).status !== 1) throw error;
    }
  }
}
