"""Read back what the SDF says: boxes, discs and pictures in the world, and rays against them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import xml.etree.ElementTree as ET

import numpy as np

Array = np.ndarray


def numbers(text: str | None) -> Array:
    return np.array((text or '').split(), dtype=float)


def matrix(pose: Array) -> Array:
    """Return x y z roll pitch yaw as SDF means it: turned about x, then y, then z."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(pose[3:]), np.sin(pose[3:])
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = about_z @ about_y @ about_x, pose[:3]
    return result


@dataclass(frozen=True)
class Shape:
    """One visual or collision: what it is (box, cylinder …), its place and its measures."""

    name: str
    kind: str
    place: Array  # (4, 4) in the world
    size: Array
    flags: int = 0xFFFFFFFF
    texture: str = ''

    def ranges(self, origin: Array, rays: Array) -> Array:
        """Return how far each ray (n, 3) goes until it meets a box or an upright cylinder."""
        inverse = np.linalg.inv(self.place)
        start = inverse[:3, :3] @ origin + inverse[:3, 3]
        way = rays @ inverse[:3, :3].T
        with np.errstate(divide='ignore', invalid='ignore'):
            if self.kind == 'box':
                sides = np.stack([(sign * self.size / 2 - start) / way for sign in (-1, 1)])
                enters = np.nanmax(sides.min(axis=0), axis=1)
                leaves = np.nanmin(sides.max(axis=0), axis=1)
                inside = (np.abs(start) <= self.size / 2) | (way != 0.0)
                met = inside.all(axis=1) & (enters <= leaves) & (enters >= 0.0)
                return np.where(met, enters, np.inf)
            assert self.kind == 'cylinder'
            radius, length = self.size
            a, b = (way[:, :2] ** 2).sum(axis=1), way[:, :2] @ start[:2]
            c = start[:2] @ start[:2] - radius**2
            distance = (-b - np.sqrt(b**2 - a * c)) / a
            met = (distance >= 0.0) & (np.abs(start[2] + distance * way[:, 2]) <= length / 2)
            return np.where(met, distance, np.inf)


class Model:
    """One model of an SDF file, put somewhere."""

    def __init__(self, path: Path, pose: tuple[float, ...] = (0, 0, 0, 0, 0, 0)) -> None:
        self.xml = ET.parse(path).getroot().find('model')
        assert self.xml is not None
        self.places = {'': matrix(np.array(pose, dtype=float))}
        for item in [*self.xml.findall('link'), *self.xml.findall('frame')]:
            self.places[item.get('name', '')] = self._place(item, '')

    def _place(self, item: ET.Element, parent: str) -> Array:
        pose = item.find('pose')
        if pose is None:
            return self.places[parent]
        local = numbers(pose.text) if (pose.text or '').strip() else np.zeros(6)
        return self.places[pose.get('relative_to', parent)] @ matrix(local)

    def shapes(self, what: str = 'visual') -> list[Shape]:
        """Return its visuals, or its collisions."""
        return [
            self._shape(item, link.get('name', ''))
            for link in self.xml.findall('link')
            for item in link.findall(what)
        ]

    def _shape(self, item: ET.Element, link: str) -> Shape:
        geometry = next(iter(item.find('geometry')))
        size = np.concatenate(
            [numbers(part.text) for part in geometry if part.tag in ('size', 'radius', 'length')]
        )
        return Shape(
            item.get('name', ''),
            geometry.tag,
            self._place(item, link),
            size,
            int(item.findtext('visibility_flags', str(0xFFFFFFFF))),
            item.findtext('.//albedo_map', ''),
        )

    def sensor(self, name: str) -> tuple[ET.Element, Array]:
        """Return a sensor and where it is."""
        for link in self.xml.findall('link'):
            for sensor in link.findall('sensor'):
                if sensor.get('name') == name:
                    return sensor, self._place(sensor, link.get('name', ''))
        raise KeyError(name)

    def lidar_rays(self) -> tuple[Array, Array, int]:
        """Return where the lidar is, its rays (n, 3) in the world, and what it looks for."""
        sensor, place = self.sensor('lidar')
        scan = sensor.find('lidar/scan/horizontal')
        samples = int(scan.findtext('samples'))
        angles = np.linspace(
            float(scan.findtext('min_angle')), float(scan.findtext('max_angle')), samples
        )
        rays = np.stack([np.cos(angles), np.sin(angles), np.zeros(samples)], axis=1)
        mask = int(sensor.findtext('lidar/visibility_mask'))
        return place[:3, 3], rays @ place[:3, :3].T, mask


def scan(models: list[Model], robot: Model) -> Array:
    """Return what a robot's lidar measures without noise; infinite where it meets nothing."""
    origin, rays, mask = robot.lidar_rays()
    shapes = [shape for model in models for shape in model.shapes() if shape.flags & mask]
    return np.min([shape.ranges(origin, rays) for shape in shapes], axis=0)
